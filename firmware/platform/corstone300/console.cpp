// SPDX-License-Identifier: Apache-2.0
#include "pilotlight/platform/console.h"

#include "corstone300/clock.h"
#include "corstone300/console.h"
#include "corstone300/registers.h"
#include "corstone300/uart.h"
#include "pilotlight/platform/clock.h"

namespace pilotlight::platform {
namespace {

corstone300::Uart uart(PILOTLIGHT_BOARD_CONSOLE_BASE);

// The size is a power of two. The buffer must hold the bytes that can arrive during one inference:
// the protocol's window.
constexpr std::uint32_t kCapacity = 8192;
std::byte buffer[kCapacity];
// Counters that only grow (modulo 2^32). Only the interrupt writes `received`, and only the thread
// writes `taken`.
volatile std::uint32_t received;
volatile std::uint32_t taken;
volatile std::uint32_t overruns;

}  // namespace

extern "C" void ConsoleReceiveInterrupt() {
  uart.ClearReceiveInterrupt();
  std::byte byte;
  while (uart.Receive(byte)) {
    if (received - taken == kCapacity) {
      overruns = overruns + 1;
      continue;
    }
    buffer[received % kCapacity] = byte;
    received = received + 1;
  }
}

namespace corstone300 {

void StartConsole() { uart.Start(PILOTLIGHT_BOARD_CONSOLE_DIVIDER, PILOTLIGHT_BOARD_CONSOLE_IRQ); }

}  // namespace corstone300

std::size_t ConsoleRead(Span<std::byte> into, std::uint64_t deadline_us) {
  if (into.empty()) return 0;
  while (received == taken) {
    const corstone300::InterruptsOff guard;
    if (received != taken) break;
    if (NowUs() >= deadline_us) return 0;
    corstone300::SleepUntil(deadline_us);
  }
  std::size_t count = 0;
  while (count < into.size() && received != taken) {
    into[count++] = buffer[taken % kCapacity];
    taken = taken + 1;
  }
  return count;
}

std::uint32_t ConsoleOverruns() { return overruns; }

void ConsoleWrite(Span<const std::byte> bytes) {
  for (const std::byte byte : bytes) {
    if (!uart.Send(byte)) return;
  }
}

}  // namespace pilotlight::platform
