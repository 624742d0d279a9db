// SPDX-License-Identifier: Apache-2.0
//
// Reads 32-bit little-endian words from bytes of any alignment.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace pilotlight::ethos_u {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the blob and this CPU are little-endian");

inline std::uint32_t LoadU32(const std::byte* at) {
  std::uint32_t word;
  std::memcpy(&word, at, sizeof(word));
  return word;
}

}  // namespace pilotlight::ethos_u
