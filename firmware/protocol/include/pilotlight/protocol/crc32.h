// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "pilotlight/base/span.h"

namespace pilotlight::protocol {

// CRC-32 as zlib computes it. To continue over another piece, pass the result
// for the pieces before it as `previous`. Any context.
std::uint32_t Crc32(Span<const std::byte> bytes, std::uint32_t previous = 0);

}  // namespace pilotlight::protocol
