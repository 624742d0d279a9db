// SPDX-License-Identifier: Apache-2.0
//
// Command streams of Ethos-U55 and Ethos-U65, followed once before they are run:
// a stream has no branches, so the registers at each of its operations, and with
// them every byte it will access, follow from the stream alone.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pilotlight/base/span.h"
#include "pilotlight/ethos_u/failure.h"
#include "pilotlight/ethos_u/registers.h"

namespace pilotlight::ethos_u {

// Bytes in each region; 0 when there is none. Region 0 is never written.
struct RegionSizes {
  std::uint32_t bytes[reg::kRegionCount] = {};
};

// Checks `stream`, which need not be aligned, for the NPU it was compiled for:
// that each command up to the first OP_STOP is one of that product's, and that
// whatever feature maps, weights, scales, tables and copies touch lies in its
// region or in the NPU's own memory. An operation may only use registers that
// this stream has set: others hold what an earlier stream left there.
// Sets bit i of `used_regions` for each region i accessed.
//
// kBadModel     not a stream, or one that leaves its regions; `failure` names the command.
// kUnsupported  a region above 1 is accessed that is not there.
Status VerifyStream(Span<const std::byte> stream, const NpuIdentity& built_for,
                    const RegionSizes& regions, std::uint8_t& used_regions, Failure& failure);

}  // namespace pilotlight::ethos_u
