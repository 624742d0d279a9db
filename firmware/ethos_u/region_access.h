// SPDX-License-Identifier: Apache-2.0
//
// The check that a command's accesses lie in their regions.
#pragma once

#include <cstdint>

#include "pilotlight/ethos_u/command_stream.h"
#include "pilotlight/ethos_u/failure.h"

namespace pilotlight::ethos_u {

// Channels as STATUS.faulting_channel numbers them. IFM2 has no number there.
enum Channel : std::uint8_t {
  kIfmChannel = 1,
  kWeightChannel = 2,
  kScaleChannel = 3,
  kDmaReadChannel = 4,
  kOfmChannel = 8,
  kDmaWriteChannel = 9,
  kIfm2Channel = Failure::kIfm2Channel,
};

// Bytes from `begin` up to, but not including, `end`, relative to the region or to the NPU's own
// memory.
struct ByteRange {
  std::int64_t begin;
  std::int64_t end;
};

class RegionAccess {
 public:
  explicit RegionAccess(const RegionSizes& regions) : regions_(regions) {}

  // Checks that the bytes lie in the region and that a write is not to region 0. An empty range is
  // always allowed. Errors as VerifyStream(); `failure` then describes the access.
  Status Check(Channel channel, std::uint32_t region, ByteRange bytes, Failure& failure);

  // Bit i: an access to region i passed.
  std::uint8_t used_regions() const { return used_regions_; }

 private:
  const RegionSizes& regions_;
  std::uint8_t used_regions_ = 0;
};

}  // namespace pilotlight::ethos_u
