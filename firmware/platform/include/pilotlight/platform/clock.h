// SPDX-License-Identifier: Apache-2.0
//
// Monotonic time and CPU cycles. Any context. A deadline is a NowUs() value.
#pragma once

#include <cstdint>

namespace pilotlight::platform {

// Microseconds since boot; 64 bits never wrap.
std::uint64_t NowUs();

// What the CPU has worked since boot: cycles (board.toml [cpu] clock_hz gives the rate), or
// instructions where an emulator counts those (board.toml [emulator] instruction_ns). Waiting is
// left out. Thread context.
std::uint64_t CpuCycles();

// Of NowUs(), what passed because an emulator counted instructions. It is then no measure of what
// the board needs, and deadlines stand still for it. 0 on every other board. Thread context.
std::uint64_t EmulatedWorkUs();

// Between the two the CPU waits for somebody else, and CpuCycles() stands still. They nest. Thread
// context; interrupts that are taken meanwhile count as waiting.
void BeginWaiting();
void EndWaiting();

// The same for a scope.
class Waiting {
 public:
  Waiting() { BeginWaiting(); }
  ~Waiting() { EndWaiting(); }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;
};

}  // namespace pilotlight::platform
