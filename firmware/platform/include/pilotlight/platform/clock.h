// SPDX-License-Identifier: Apache-2.0
//
// Monotonic time and CPU cycles. Any context. A deadline is a NowUs() value.
#pragma once

#include <cstdint>

namespace pilotlight::platform {

// Microseconds since boot; 64 bits never wrap.
std::uint64_t NowUs();

// The CPU's work since boot, without waits: cycles (at [cpu] clock_hz of board.toml), or
// instructions if an emulator counts them ([emulator] instruction_ns). Thread context.
std::uint64_t CpuCycles();

// The time that an emulator added to NowUs() for instructions. This time does not predict the time
// on a board, so deadlines stand still for it. 0 on every other board. Thread context.
std::uint64_t EmulatedWorkUs();

// CpuCycles() stands still from BeginWaiting() to EndWaiting(). Calls nest. Thread context.
// Interrupts in between count as waiting.
void BeginWaiting();
void EndWaiting();

// BeginWaiting() and EndWaiting() for a scope.
class Waiting {
 public:
  Waiting() { BeginWaiting(); }
  ~Waiting() { EndWaiting(); }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;
};

}  // namespace pilotlight::platform
