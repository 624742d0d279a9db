// SPDX-License-Identifier: Apache-2.0
//
// 32-bit little-endian words out of file bytes of any alignment.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace pilotlight::ethos_u {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the NPU is little-endian, as is its CPU");

inline std::uint32_t LoadU32(const std::byte* at) {
  std::uint32_t word;
  std::memcpy(&word, at, sizeof(word));
  return word;
}

}  // namespace pilotlight::ethos_u
