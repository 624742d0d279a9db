// SPDX-License-Identifier: Apache-2.0
//
// Time from the SSE-300's 64-bit system counter; SYSTIMER0's comparator ends a sleep. (SSE-300 TRM,
// "System counter" and "System timer"; the register layout is that of Arm's generic timer.)
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

std::uint64_t ticks_at_boot;

// Written with interrupts off, or by the timer's own interrupt.
bool armed;
std::uint64_t armed_for_us;

std::uint64_t Ticks() {
  for (;;) {
    const std::uint32_t high = Register(kCntpctHigh);
    const std::uint32_t low = Register(kCntpctLow);
    // A carry between the two reads would give a value 2^32 off.
    if (Register(kCntpctHigh) == high) return (std::uint64_t{high} << 32) | low;
  }
}

}  // namespace

// The comparator has done its work by waking the core.
extern "C" void pilotlight_timer_interrupt(void) {
  Register(kCntpCtl) = 0;
  armed = false;
}

namespace corstone300 {

void StartClock() {
  Register(kCntcr) = kCntcrEnable;
  Register(kCntpCtl) = 0;
  armed = false;
  ticks_at_boot = Ticks();
  EnableInterrupt(PILOTLIGHT_BOARD_TIMER_IRQ);
}

void SleepUntil(std::uint64_t deadline_us) {
  // A sleeper that is woken for every byte arms the timer once, not once a byte.
  if (!armed || deadline_us != armed_for_us) {
    // Relative, because the app's clock may count from elsewhere. "Never" must not wrap around to
    // "at once".
    const std::uint64_t now_us = NowUs();
    const std::uint64_t now = Ticks();
    const std::uint64_t left_us = deadline_us > now_us ? deadline_us - now_us : 0;
    const bool representable = left_us < (~std::uint64_t{0} - now) / kTicksPerUs;
    const std::uint64_t wake = representable ? now + left_us * kTicksPerUs : ~std::uint64_t{0};
    Register(kCntpCtl) = 0;
    Register(kCntpCvalLow) = static_cast<std::uint32_t>(wake);
    Register(kCntpCvalHigh) = static_cast<std::uint32_t>(wake >> 32);
    Register(kCntpCtl) = kCntpCtlEnable;
    armed = true;
    armed_for_us = deadline_us;
    DataSyncBarrier();
  }
  __asm volatile("wfi" ::: "memory");
}

}  // namespace corstone300

std::uint64_t NowUs() {
  const pilotlight_hooks_t& hooks = Hooks();
  if (hooks.now_us != nullptr) return hooks.now_us(hooks.context);
  return (Ticks() - ticks_at_boot) / kTicksPerUs;
}

// An estimate (clock.h): the emulators have no cycle counter, and do not run at the board's speed.
std::uint64_t CpuCycles() { return (Ticks() - ticks_at_boot) * kCpuClockMhz / kTicksPerUs; }

}  // namespace pilotlight::platform
