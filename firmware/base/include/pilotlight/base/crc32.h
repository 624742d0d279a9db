// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "pilotlight/base/span.h"

namespace pilotlight {

// Processes four bits per step, with a table of 64 bytes. One byte per step would need 1 KiB.
struct Crc32Table {
  std::uint32_t entry[16] = {};
  constexpr Crc32Table() {
    constexpr std::uint32_t kPolynomial = 0xEDB88320u;  // Reflected, as in zlib.
    for (std::uint32_t i = 0; i < 16; ++i) {
      std::uint32_t remainder = i;
      for (int bit = 0; bit < 4; ++bit) {
        remainder = (remainder >> 1) ^ ((remainder & 1u) != 0 ? kPolynomial : 0u);
      }
      entry[i] = remainder;
    }
  }
};
inline constexpr Crc32Table kCrc32Table;

// CRC-32 as zlib computes it. For data in several pieces, pass the result of the earlier pieces as
// `previous`. Any context.
inline std::uint32_t Crc32(Span<const std::byte> bytes, std::uint32_t previous = 0) {
  std::uint32_t crc = ~previous;
  for (const std::byte byte : bytes) {
    crc ^= std::to_integer<std::uint32_t>(byte);
    crc = (crc >> 4) ^ kCrc32Table.entry[crc & 0xFu];
    crc = (crc >> 4) ^ kCrc32Table.entry[crc & 0xFu];
  }
  return ~crc;
}

}  // namespace pilotlight
