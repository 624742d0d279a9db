// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace pilotlight::platform::corstone300 {

// Starts the system counter; NowUs() is 0 here.
void StartClock();

// Sleeps (WFI) until an interrupt is pending or `deadline_us` came. Call with interrupts off, after
// having seen that there is nothing to do; the interrupt itself is taken when they are switched on
// again.
void SleepUntil(std::uint64_t deadline_us);

}  // namespace pilotlight::platform::corstone300
