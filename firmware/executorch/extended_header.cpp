// SPDX-License-Identifier: Apache-2.0
#include "extended_header.h"

#include <cstring>

#include "refuse.h"

namespace pilotlight::executorch_runtime {
namespace {

using executorch::runtime::Error;
using executorch::runtime::Result;

// The header follows the root table's offset and the file identifier, four bytes each.
constexpr std::size_t kMagicOffset = 8;
constexpr std::size_t kLengthOffset = kMagicOffset + 4;
constexpr std::size_t kProgramSizeOffset = kLengthOffset + 4;
constexpr std::size_t kSegmentBaseOffset = kProgramSizeOffset + 8;
constexpr std::size_t kSegmentSizeOffset = kSegmentBaseOffset + 8;

constexpr char kMagic[] = {'e', 'h', '0', '0'};
constexpr std::uint32_t kMinLength = 24;  // Without the field for the size of the segment data.
constexpr std::uint32_t kFullLength = 32;

// The file is little-endian on every machine, and the header is not aligned.
std::uint64_t ReadLittleEndian(const std::uint8_t* bytes, std::size_t count) {
  std::uint64_t value = 0;
  for (std::size_t i = count; i > 0; --i) value = (value << 8) | bytes[i - 1];
  return value;
}

}  // namespace

Result<ExtendedHeader> ExtendedHeader::Parse(const void* head, std::size_t size_bytes) {
  if (size_bytes < kHeadBytes) {
    return PILOTLIGHT_REFUSE(Error::InvalidArgument, "Program head: %zu bytes, need %zu",
                             size_bytes, kHeadBytes);
  }
  const auto* bytes = static_cast<const std::uint8_t*>(head);
  if (std::memcmp(bytes + kMagicOffset, kMagic, sizeof(kMagic)) != 0) return Error::NotFound;

  const auto length = static_cast<std::uint32_t>(ReadLittleEndian(bytes + kLengthOffset, 4));
  if (length < kMinLength) {
    return PILOTLIGHT_REFUSE(Error::InvalidProgram, "Extended header: length %u, need %u",
                             static_cast<unsigned>(length), static_cast<unsigned>(kMinLength));
  }
  ExtendedHeader header{};
  header.program_size_bytes = ReadLittleEndian(bytes + kProgramSizeOffset, 8);
  header.segment_base_offset = ReadLittleEndian(bytes + kSegmentBaseOffset, 8);
  if (length >= kFullLength) {
    header.segment_data_size = ReadLittleEndian(bytes + kSegmentSizeOffset, 8);
  }
  return header;
}

}  // namespace pilotlight::executorch_runtime
