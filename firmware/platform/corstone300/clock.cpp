// SPDX-License-Identifier: Apache-2.0
//
// Time from the SSE-300's 64-bit system counter. SYSTIMER0's comparator ends a sleep. Source:
// SSE-300 TRM, "System counter" and "System timer". The register layout is that of Arm's generic
// timer.
#include "pilotlight/platform/clock.h"

#include "corstone300/clock.h"
#include "corstone300/registers.h"
#include "pilotlight/interrupts.h"
#include "pilotlight/platform/hooks.h"

namespace pilotlight::platform {
namespace {

using corstone300::Register;

constexpr std::uintptr_t kCntcr = PILOTLIGHT_BOARD_TIMER_COUNTER_BASE + 0x00;
constexpr std::uint32_t kCntcrEnable = 1;
constexpr std::uintptr_t kCntpctLow = PILOTLIGHT_BOARD_TIMER_BASE + 0x00;
constexpr std::uintptr_t kCntpctHigh = PILOTLIGHT_BOARD_TIMER_BASE + 0x04;
constexpr std::uintptr_t kCntpCvalLow = PILOTLIGHT_BOARD_TIMER_BASE + 0x20;
constexpr std::uintptr_t kCntpCvalHigh = PILOTLIGHT_BOARD_TIMER_BASE + 0x24;
constexpr std::uintptr_t kCntpCtl = PILOTLIGHT_BOARD_TIMER_BASE + 0x2C;
constexpr std::uint32_t kCntpCtlEnable = 1;

constexpr std::uint64_t kTicksPerUs = PILOTLIGHT_BOARD_TIMER_CLOCK_MHZ;
constexpr std::uint64_t kCpuClockMhz = PILOTLIGHT_BOARD_CPU_CLOCK_HZ / 1'000'000;

// Virtual time of one instruction on an emulator that counts them; 0 elsewhere.
constexpr std::uint64_t kInstructionNs = PILOTLIGHT_BOARD_INSTRUCTION_NS;
// Between two readings of the counter, at most one tick is lost to rounding. One tick is less than
// half an instruction, so ToCycles() rounds to the exact number.
static_assert(kInstructionNs == 0 || kInstructionNs * kTicksPerUs > 2 * 1000);

std::uint64_t ticks_at_boot;

// Cycles of finished work, the start of the present work in ticks, and the nesting depth of waits.
std::uint64_t cycles_before;
std::uint64_t work_began;
std::uint32_t waiting;

std::uint64_t Ticks() {
  for (;;) {
    const std::uint32_t high = Register(kCntpctHigh);
    const std::uint32_t low = Register(kCntpctLow);
    // If a carry came between the two reads, the value would be wrong by 2^32.
    if (Register(kCntpctHigh) == high) return (std::uint64_t{high} << 32) | low;
  }
}

std::uint64_t ToCycles(std::uint64_t ticks) {
  if constexpr (kInstructionNs != 0) {
    constexpr std::uint64_t kInstructionTicks = kInstructionNs * kTicksPerUs;  // times 1000
    return (ticks * 1000 + kInstructionTicks / 2) / kInstructionTicks;
  } else {
    return ticks * kCpuClockMhz / kTicksPerUs;
  }
}

}  // namespace

// The comparator only has to wake the core.
extern "C" void pilotlight_timer_interrupt(void) { Register(kCntpCtl) = 0; }

namespace corstone300 {

void StartCounter() {
  Register(kCntcr) = Register(kCntcr) | kCntcrEnable;
  ticks_at_boot = Ticks();
  work_began = ticks_at_boot;
}

void StartTimer() {
  Register(kCntpCtl) = 0;
  EnableInterrupt(PILOTLIGHT_BOARD_TIMER_IRQ);
}

void SleepUntil(std::uint64_t deadline_us) {
  const Waiting scope;
  // Relative to NowUs(), because the app's clock may start at another value. A deadline of "never"
  // must not wrap around to "at once".
  const std::uint64_t now_us = NowUs();
  const std::uint64_t now = Ticks();
  const std::uint64_t left_us = deadline_us > now_us ? deadline_us - now_us : 0;
  const bool representable = left_us < (~std::uint64_t{0} - now) / kTicksPerUs;
  const std::uint64_t wake = representable ? now + left_us * kTicksPerUs : ~std::uint64_t{0};
  Register(kCntpCtl) = 0;
  Register(kCntpCvalLow) = static_cast<std::uint32_t>(wake);
  Register(kCntpCvalHigh) = static_cast<std::uint32_t>(wake >> 32);
  Register(kCntpCtl) = kCntpCtlEnable;
  DataSyncBarrier();
  __asm volatile("wfi" ::: "memory");
  // Otherwise the timer would interrupt later code, at a time that differs from run to run.
  Register(kCntpCtl) = 0;
  DataSyncBarrier();
}

}  // namespace corstone300

std::uint64_t NowUs() {
  const pilotlight_hooks_t& hooks = Hooks();
  if (hooks.now_us != nullptr) return hooks.now_us(hooks.context);
  return (Ticks() - ticks_at_boot) / kTicksPerUs;
}

std::uint64_t CpuCycles() {
  return waiting != 0 ? cycles_before : cycles_before + ToCycles(Ticks() - work_began);
}

std::uint64_t EmulatedWorkUs() {
  return kInstructionNs != 0 ? CpuCycles() * kInstructionNs / 1000 : 0;
}

void BeginWaiting() {
  if (waiting == 0) cycles_before += ToCycles(Ticks() - work_began);
  ++waiting;
}

void EndWaiting() {
  if (--waiting == 0) work_began = Ticks();
}

}  // namespace pilotlight::platform
