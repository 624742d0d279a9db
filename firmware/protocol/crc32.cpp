// SPDX-License-Identifier: Apache-2.0
#include "pilotlight/protocol/crc32.h"

namespace pilotlight::protocol {
namespace {

constexpr std::uint32_t kPolynomial = 0xEDB88320u;  // Reflected, as in zlib.

// A nibble a step: 64 bytes of table, where a byte a step would need 1 KiB.
struct NibbleTable {
  std::uint32_t entry[16] = {};
  constexpr NibbleTable() {
    for (std::uint32_t i = 0; i < 16; ++i) {
      std::uint32_t remainder = i;
      for (int bit = 0; bit < 4; ++bit) {
        remainder = (remainder >> 1) ^ ((remainder & 1u) != 0 ? kPolynomial : 0u);
      }
      entry[i] = remainder;
    }
  }
};
constexpr NibbleTable kTable;

}  // namespace

std::uint32_t Crc32(Span<const std::byte> bytes, std::uint32_t previous) {
  std::uint32_t crc = ~previous;
  for (const std::byte byte : bytes) {
    crc ^= std::to_integer<std::uint32_t>(byte);
    crc = (crc >> 4) ^ kTable.entry[crc & 0xFu];
    crc = (crc >> 4) ^ kTable.entry[crc & 0xFu];
  }
  return ~crc;
}

}  // namespace pilotlight::protocol
