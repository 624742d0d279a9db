// SPDX-License-Identifier: Apache-2.0
#include "npu/windows.h"

#include "pilotlight/board_config.h"

namespace pilotlight::platform {
namespace {

struct Window {
  std::uint64_t origin;
  std::uint64_t size_bytes;
};

constexpr Window kWindows[] = {PILOTLIGHT_BOARD_NPU_WINDOWS};

}  // namespace

bool NpuCanReach(std::uint64_t address, std::size_t size_bytes) {
  for (const Window& window : kWindows) {
    if (address < window.origin) continue;
    const std::uint64_t into = address - window.origin;
    if (into <= window.size_bytes && size_bytes <= window.size_bytes - into) return true;
  }
  return false;
}

}  // namespace pilotlight::platform
