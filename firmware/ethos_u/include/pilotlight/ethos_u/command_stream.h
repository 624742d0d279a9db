// SPDX-License-Identifier: Apache-2.0
//
// Verifies command streams before they run. Between branches, the stream alone determines the
// registers at each operation, and with them every byte that the operation accesses.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pilotlight/base/span.h"
#include "pilotlight/ethos_u/failure.h"
#include "pilotlight/ethos_u/registers.h"

namespace pilotlight::ethos_u {

// Bytes in each region; 0: no such region. Region 0 is never written.
struct RegionSizes {
  std::uint32_t bytes[reg::kRegionCount] = {};
};

// Checks `stream` for the NPU that it was compiled for. The stream need not be aligned.
//
// - Each command up to the first OP_STOP must be a command of that product.
// - All bytes of feature maps, weights, scales, tables and copies must lie in their region or
//   in the NPU's own memory.
// - An operation may only use registers that this stream has set. The other registers hold
//   values of an earlier stream.
//
// Sets bit i of `used_regions` for each region i that the stream accesses.
//
// kBadModel     not a valid stream, or an access outside a region; `failure` names the command.
// kUnsupported  the stream accesses a region above 1 that does not exist.
// kWrongNpu     this image does not support the product.
Status VerifyStream(Span<const std::byte> stream, const NpuIdentity& built_for,
                    const RegionSizes& regions, std::uint8_t& used_regions, Failure& failure);

}  // namespace pilotlight::ethos_u
