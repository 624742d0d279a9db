// SPDX-License-Identifier: Apache-2.0
//
// The mailbox on an emulated Corstone-300: the page is in DDR, which the emulator keeps in a shared
// file. The second UART is the line.
#include "npu/mailbox_line.h"

#include <cstring>

#include "corstone300/clock.h"
#include "corstone300/registers.h"
#include "corstone300/system.h"
#include "corstone300/uart.h"
#include "pilotlight/interrupts.h"
#include "pilotlight/platform/clock.h"
#include "pilotlight/platform/fault_dump.h"
#include "pilotlight/platform/hooks.h"

namespace pilotlight::platform {
namespace {

static_assert(PILOTLIGHT_BOARD_CPU_DATA_CACHE == 0, "the mailbox page would be cached");
static_assert(PILOTLIGHT_BOARD_NPU_MAILBOX_SIZE >= sizeof(mailbox::Page));

constexpr std::uint32_t kShortestDivider = 16;
// The CPU sleeps, so that board time passes like the host's. If the CPU spun, board time would pass
// faster.
constexpr std::uint64_t kYieldUs = 50;

corstone300::Uart uart(PILOTLIGHT_BOARD_DOORBELL_BASE);
volatile std::uint32_t interrupts;

}  // namespace

extern "C" void pilotlight_npu_interrupt(void) {
  uart.ClearReceiveInterrupt();
  std::byte byte;
  while (uart.Receive(byte)) interrupts = interrupts + 1;
  SignalWaiter();
}

extern "C" void NpuPortStart() { uart.Start(kShortestDivider, PILOTLIGHT_BOARD_DOORBELL_IRQ); }

std::uint32_t PowerUpSeed() { return mailbox::SharedPage()->seed; }

void corstone300::ShowFaultDump(const FaultDump& dump) {
  static_assert(sizeof(FaultDump) <= sizeof(mailbox::Page::kept));
  std::memcpy(mailbox::SharedPage()->kept, &dump, sizeof(dump));
}

namespace mailbox {

Page* SharedPage() {
  return reinterpret_cast<Page*>(static_cast<std::uintptr_t>(PILOTLIGHT_BOARD_NPU_MAILBOX_ORIGIN));
}

void RingDoorbell() {
  corstone300::DataSyncBarrier();
  // If nothing takes the byte, the wait for the answer ends at its own deadline.
  (void)uart.Send(std::byte{1});
}

std::uint32_t InterruptCount() { return interrupts; }

void SleepWhileInterruptCountIs(std::uint32_t seen, std::uint64_t deadline_us) {
  if (WaitForSignal(deadline_us)) return;
  const corstone300::InterruptsOff guard;
  if (interrupts == seen) corstone300::SleepUntil(deadline_us);
}

void YieldToSimulator() {
  const corstone300::InterruptsOff guard;
  corstone300::SleepUntil(NowUs() + kYieldUs);
}

std::uint64_t NpuAddress(const void* cpu_address) {
  return reinterpret_cast<std::uintptr_t>(cpu_address);
}

}  // namespace mailbox
}  // namespace pilotlight::platform
