// SPDX-License-Identifier: Apache-2.0
//
// Makes an image fail before main(). This file is linked to the probe of tests/emulator.
// CRASH_SLEEP_MS: how long it sleeps first. CRASH_KIND: 1 a failed CHECK, 2 a write to address 0, 3
// a reset without a fault.
#include <cstdint>

#include "pilotlight/base/check.h"
#include "pilotlight/platform/clock.h"
#include "pilotlight/platform/console.h"
#include "pilotlight/platform/system.h"

namespace {

__attribute__((noinline)) void CrashAtStart() {
  using namespace pilotlight::platform;
  const std::uint64_t until_us = NowUs() + CRASH_SLEEP_MS * 1000;
  __asm volatile("cpsie i" ::: "memory");
  std::byte byte;
  while (NowUs() < until_us) ConsoleRead({&byte, 1}, until_us);
  volatile int kind = CRASH_KIND;
  PILOTLIGHT_CHECK(kind != 1);
  std::uintptr_t address = 4;
  __asm("" : "+r"(address));
  if (kind == 2) *reinterpret_cast<volatile std::uint32_t*>(address) = 1;
  Reset();
}

struct Crash {
  Crash() { CrashAtStart(); }
};
Crash crash;

}  // namespace
