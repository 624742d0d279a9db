// SPDX-License-Identifier: Apache-2.0
//
// The functions that runtime, driver and protocol need from the platform, for the host.
#include <executorch/runtime/platform/platform.h>

#include <cstdio>
#include <cstdlib>

#include "pilotlight/base/check.h"
#include "pilotlight/platform/clock.h"
#include "program_case.h"

void et_pal_emit_log_message(et_timestamp_t, et_pal_log_level_t, const char*, const char*,
                             std::size_t, const char* message, std::size_t length) {
  static const bool show = std::getenv("PILOTLIGHT_FUZZ_LOG") != nullptr;
  pilotlight::fuzz::CountLogLine(length);
  if (show) std::fprintf(stderr, "log: %s\n", message);
}

[[noreturn]] void et_pal_abort() { pilotlight::fuzz::Violation("the runtime aborted"); }

namespace pilotlight {

void CheckFailed(const char* file, int line, const char* expression) {
  std::fprintf(stderr, "%s:%d: %s\n", file, line, expression);
  fuzz::Violation("a CHECK failed");
}

namespace platform {

// Each call advances the time by 10 us.
std::uint64_t NowUs() {
  static std::uint64_t now_us = 0;
  return now_us += 10;
}
std::uint64_t CpuCycles() { return NowUs(); }

}  // namespace platform

namespace fuzz {

void Violation(const char* what) {
  std::fprintf(stderr, "VIOLATION: %s\n", what);
  std::abort();
}

}  // namespace fuzz
}  // namespace pilotlight
