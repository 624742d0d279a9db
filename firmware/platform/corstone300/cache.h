// SPDX-License-Identifier: Apache-2.0
//
// The data cache, on boards that have one (board.toml [cpu] data_cache); elsewhere these do
// nothing.
#pragma once

#include <cstddef>

#include "pilotlight/base/span.h"

namespace pilotlight::platform::corstone300 {

// Switches the caches on, emptied. Once, before any cached data matters.
void EnableCaches();

// Writes back, or drops, every line that `bytes` touches. A dropped line takes its neighbours'
// unwritten data along, which is why arenas are aligned to lines.
void CleanDataCache(Span<const std::byte> bytes);
void InvalidateDataCache(Span<std::byte> bytes);

}  // namespace pilotlight::platform::corstone300
