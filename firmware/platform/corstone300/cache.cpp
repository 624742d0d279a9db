// SPDX-License-Identifier: Apache-2.0
//
// Cache operations by address and by set/way (Armv8-M ARM, "Cache maintenance operations"; line
// size and geometry from CCSIDR).
#include "corstone300/cache.h"

#include <cstdint>

#include "corstone300/registers.h"

namespace pilotlight::platform::corstone300 {

#if PILOTLIGHT_BOARD_CPU_DATA_CACHE
namespace {

// Cortex-M55 TRM and Cortex-M85 TRM, "L1 data cache".
constexpr std::uintptr_t kLineBytes = 32;
constexpr std::uint32_t kSetShift = 5;  // log2(kLineBytes)

// The tags are random at power-up, so every line must be invalidated before the cache is used.
void InvalidateAllLines() {
  Register(kCsselr) = 0;  // level 1, data
  DataSyncBarrier();
  const std::uint32_t ccsidr = Register(kCcsidr);
  const std::uint32_t sets = ((ccsidr >> 13) & 0x7FFF) + 1;
  const std::uint32_t ways = ((ccsidr >> 3) & 0x3FF) + 1;
  // The number of the way is in the upper bits, as many as it needs (Armv8-M ARM, "DCISW").
  const int way_shift = ways > 1 ? __builtin_clz(ways - 1) : 0;
  for (std::uint32_t set = 0; set < sets; ++set) {
    for (std::uint32_t way = 0; way < ways; ++way) {
      Register(kDcisw) = (way << way_shift) | (set << kSetShift);
    }
  }
  DataSyncBarrier();
}

void ForEachLine(const void* data, std::size_t size_bytes, std::uintptr_t operation) {
  if (size_bytes == 0) return;
  const auto begin = reinterpret_cast<std::uintptr_t>(data);
  DataSyncBarrier();
  for (std::uintptr_t line = begin & ~(kLineBytes - 1); line < begin + size_bytes;
       line += kLineBytes) {
    Register(operation) = line;
  }
  DataSyncBarrier();
  InstructionSyncBarrier();
}

}  // namespace

void EnableCaches() {
  Register(kIciallu) = 0;
  InvalidateAllLines();
  Register(kCcr) = Register(kCcr) | kCcrInstructionCache | kCcrDataCache;
  DataSyncBarrier();
  InstructionSyncBarrier();
}

void CleanDataCache(Span<const std::byte> bytes) {
  ForEachLine(bytes.data(), bytes.size(), kDccmvac);
}

void InvalidateDataCache(Span<std::byte> bytes) {
  ForEachLine(bytes.data(), bytes.size(), kDcimvac);
}

#else

void EnableCaches() {}
void CleanDataCache(Span<const std::byte>) {}
void InvalidateDataCache(Span<std::byte>) {}

#endif

}  // namespace pilotlight::platform::corstone300
