// SPDX-License-Identifier: Apache-2.0
//
// Reset, fault dumps, memory protection, the stack's high-water mark, and the sink for
// log text.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pilotlight/base/span.h"
#include "pilotlight/platform/fault_dump.h"

namespace pilotlight::platform {

// Resets the core (host: ends the process with exit code 3). Data in .noinit survives,
// so a fault dump survives too.
[[noreturn]] void Reset();

// The dump of the last fault or failed CHECK. Null if there was none since the last call.
// Valid until the next fault.
const FaultDump* TakeFaultDump();

// Declares memory outside the linker script's sections as data. Without this call, an MPU refuses
// access to it. Start and size must be multiples of 32. Thread context.
void MapData(Span<std::byte> memory);

// Deepest stack use since boot, in bytes, and the stack's size (board.toml [budget]).
std::size_t StackHighWaterBytes();
std::size_t StackSizeBytes();

// A number that differs at each boot, so that the host notices a reset.
std::uint32_t BootId();

// Log text is one line without a newline. Text logged before an app sets a sink is dropped.
// Thread context only.
enum class LogLevel : std::uint8_t { kDebug = 0, kInfo = 1, kError = 2, kFatal = 3 };
using LogSink = void (*)(LogLevel level, const char* text, std::size_t length);
void SetLogSink(LogSink sink);
void Log(LogLevel level, const char* text, std::size_t length);

}  // namespace pilotlight::platform
