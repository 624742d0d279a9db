// SPDX-License-Identifier: Apache-2.0
//
// The addresses that the NPU can reach: [npu] visible in board.toml.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pilotlight::platform {

// True if one visible region holds all `size_bytes` bytes from `address` on.
bool NpuCanReach(std::uint64_t address, std::size_t size_bytes);

}  // namespace pilotlight::platform
