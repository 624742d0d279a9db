// SPDX-License-Identifier: Apache-2.0
//
// The data cache, on boards that have one ([cpu] data_cache in board.toml). On other boards these
// functions do nothing.
#pragma once

#include <cstddef>

#include "pilotlight/base/span.h"

namespace pilotlight::platform::corstone300 {

// Empties the caches and switches them on. Call once, before anything depends on cached data.
void EnableCaches();

// Clean: writes back every line that holds a byte of `bytes`. Invalidate: drops these lines, with
// the unwritten data of neighbours in the same line. So arenas are aligned to cache lines.
void CleanDataCache(Span<const std::byte> bytes);
void InvalidateDataCache(Span<std::byte> bytes);

}  // namespace pilotlight::platform::corstone300
