// SPDX-License-Identifier: Apache-2.0
//
// Reset, the record a fault leaves behind, the stack's high-water mark, and
// where log text goes.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pilotlight::platform {

// Resets the core (host: ends the process with exit code 3). RAM marked
// .noinit survives, so a fault record does too.
[[noreturn]] void Reset();

// What the last fault or failed CHECK left in .noinit memory; `valid` is false
// after a clean boot. The record is cleared by TakeFaultRecord().
struct FaultRecord {
  bool valid;
  std::uint32_t
      kind;  // 1 HardFault, 2 MemManage, 3 BusFault, 4 UsageFault, 5 SecureFault, 6 CHECK, 7 other
  std::uint32_t pc, lr, sp, cfsr, hfsr, mmfar, bfar;
  std::uint32_t check_line;
  char check_text[64];
};
FaultRecord TakeFaultRecord();

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
