// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace pilotlight::platform::corstone300 {

// Starts the system counter. NowUs() and CpuCycles() count from here.
void StartCounter();

// Prepares the timer, which ends SleepUntil(), and its interrupt.
void StartTimer();

// Sleeps (WFI) until an interrupt is pending or `deadline_us` has come. Call this function with
// interrupts disabled, after checking that there is nothing to do. The core takes the interrupt
// when the caller enables interrupts again.
void SleepUntil(std::uint64_t deadline_us);

}  // namespace pilotlight::platform::corstone300
