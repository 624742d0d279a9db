// SPDX-License-Identifier: Apache-2.0
#include "region_access.h"

namespace pilotlight::ethos_u {

Status RegionAccess::Check(Channel channel, std::uint32_t region, ByteRange bytes,
                           Failure& failure) {
  const auto [begin, end] = bytes;
  if (begin == end) return Status::kOk;
  const std::uint32_t size = regions_.bytes[region];
  const bool written = channel == kOfmChannel || channel == kDmaWriteChannel;
  if (begin >= 0 && end <= size && !(written && region == 0)) {
    used_regions_ |= static_cast<std::uint8_t>(1u << region);
    return Status::kOk;
  }
  const bool missing = region > 1 && size == 0;
  failure = {};
  failure.status = missing ? Status::kUnsupported : Status::kBadModel;
  failure.cause = missing ? Cause::kMissingRegion : Cause::kBadAccess;
  failure.region = region;
  failure.channel = channel;
  failure.begin = begin;
  failure.end = end;
  failure.size_bytes = size;
  return failure.status;
}

}  // namespace pilotlight::ethos_u
