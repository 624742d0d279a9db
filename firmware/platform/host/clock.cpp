// SPDX-License-Identifier: Apache-2.0
#include "pilotlight/platform/clock.h"

#include <ctime>

#include "pilotlight/board_config.h"
#include "pilotlight/platform/hooks.h"

namespace pilotlight::platform {
namespace {

static_assert(PILOTLIGHT_BOARD_CPU_CLOCK_HZ == 1'000'000'000u, "the host's cycles are nanoseconds");

std::uint64_t MonotonicNs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u +
         static_cast<std::uint64_t>(now.tv_nsec);
}

std::uint64_t SinceBootNs() {
  static const std::uint64_t boot_ns = MonotonicNs();
  return MonotonicNs() - boot_ns;
}

std::uint64_t waited_ns;
std::uint64_t wait_began_ns;
std::uint32_t waiting;

}  // namespace

std::uint64_t CpuCycles() { return (waiting != 0 ? wait_began_ns : SinceBootNs()) - waited_ns; }

std::uint64_t EmulatedWorkUs() { return 0; }

void BeginWaiting() {
  if (waiting++ == 0) wait_began_ns = SinceBootNs();
}

void EndWaiting() {
  if (--waiting == 0) waited_ns += SinceBootNs() - wait_began_ns;
}

std::uint64_t NowUs() {
  const pilotlight_hooks_t& hooks = Hooks();
  return hooks.now_us != nullptr ? hooks.now_us(hooks.context) : SinceBootNs() / 1000;
}

}  // namespace pilotlight::platform
