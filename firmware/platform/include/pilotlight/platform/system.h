// SPDX-License-Identifier: Apache-2.0
//
// Reset, the dump a fault leaves behind, memory protection, the stack's
// high-water mark, and where log text goes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pilotlight/base/span.h"
#include "pilotlight/platform/fault_dump.h"

namespace pilotlight::platform {

// Resets the core (host: ends the process with exit code 3). RAM marked
// .noinit survives, so a fault dump does too.
[[noreturn]] void Reset();

// What the last fault or failed CHECK left in .noinit memory; null when there was none since the
// last call, which is the case after a clean boot. Valid until the next fault.
const FaultDump* TakeFaultDump();

// Declares memory that no section covers as data, for the CPU and (where it can reach it) the NPU.
// Start and size are multiples of 32. Without this, an MPU refuses access. Thread context.
void MapData(Span<std::byte> memory);

// Deepest stack use since boot, in bytes, and the stack's size (board.toml [budget]).
std::size_t StackHighWaterBytes();
std::size_t StackSizeBytes();

// 32 bits that differ at each boot (for the check protocol's nonce echo this is
// not needed; it guards against talking to a stale boot).
std::uint32_t BootId();

// Log text: a line without its newline. The sink is null until an app sets one;
// text logged before that is dropped. Thread context only.
enum class LogLevel : std::uint8_t { kDebug = 0, kInfo = 1, kError = 2, kFatal = 3 };
using LogSink = void (*)(LogLevel level, const char* text, std::size_t length);
void SetLogSink(LogSink sink);
void Log(LogLevel level, const char* text, std::size_t length);

}  // namespace pilotlight::platform
