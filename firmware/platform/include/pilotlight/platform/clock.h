// SPDX-License-Identifier: Apache-2.0
//
// Monotonic time and CPU cycles. Any context. A deadline is a NowUs() value.
#pragma once

#include <cstdint>

namespace pilotlight::platform {

// Microseconds since boot; 64 bits never wrap.
std::uint64_t NowUs();

// CPU cycles since boot (board.toml [cpu] clock_hz gives the rate). Emulated
// boards derive them from a timer, so they are an estimate there.
std::uint64_t CpuCycles();

}  // namespace pilotlight::platform
