// SPDX-License-Identifier: Apache-2.0
//
// 32-bit little-endian words out of file bytes of any alignment.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pilotlight::ethos_u {

inline std::uint32_t LoadU32(const std::byte* at) {
  return std::to_integer<std::uint32_t>(at[0]) | std::to_integer<std::uint32_t>(at[1]) << 8 |
         std::to_integer<std::uint32_t>(at[2]) << 16 | std::to_integer<std::uint32_t>(at[3]) << 24;
}

}  // namespace pilotlight::ethos_u
