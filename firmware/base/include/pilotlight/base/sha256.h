// SPDX-License-Identifier: Apache-2.0
//
// SHA-256 (FIPS 180-4) of a block of memory. The device hashes the program that it runs from, so a
// single flipped bit in the image is detected even if it changes no result.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pilotlight/base/span.h"

namespace pilotlight {

struct Sha256Digest {
  std::byte bytes[32];
};

Sha256Digest Sha256(Span<const std::byte> message);

}  // namespace pilotlight
