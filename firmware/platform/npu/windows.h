// SPDX-License-Identifier: Apache-2.0
//
// Which addresses the NPU can reach: board.toml [npu] visible.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pilotlight::platform {

// True when all of `size_bytes` from `address` on lie in one visible region.
bool NpuCanReach(std::uint64_t address, std::size_t size_bytes);

}  // namespace pilotlight::platform
