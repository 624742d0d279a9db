// SPDX-License-Identifier: Apache-2.0
//
// Log messages are formatted here, in a buffer on the stack, and emitted by the platform.
// ET_MIN_LOG_LEVEL decides which messages are compiled in.
#include <executorch/runtime/platform/log.h>

#include <cstdarg>
#include <cstddef>
#include <cstdint>

#include <executorch/runtime/platform/platform.h>

#include "log_format.h"
#include "refuse.h"

namespace executorch {
namespace runtime {
namespace internal {
namespace {

// Longer messages are cut. The firmware's log frames have the same limit.
constexpr size_t kMaxMessageBytes = 192;

uint32_t error_lines = 0;
const pilotlight::executorch_runtime::RunningInstruction* running = nullptr;

size_t Format(char* text, size_t size, const char* format, ...) {
  va_list args;
  va_start(args, format);
  const size_t length = pilotlight::executorch_runtime::FormatLog(text, size, format, args);
  va_end(args);
  return length;
}

et_pal_log_level_t ToPalLevel(LogLevel level) {
  switch (level) {
    case LogLevel::Debug:
      return kDebug;
    case LogLevel::Info:
      return kInfo;
    case LogLevel::Error:
      return kError;
    case LogLevel::Fatal:
      return kFatal;
    case LogLevel::NumLevels:
      break;
  }
  return kUnknown;
}

}  // namespace

et_timestamp_t get_log_timestamp() { return pal_current_ticks(); }

void vlogf(LogLevel level, et_timestamp_t timestamp, const char* filename, const char* function,
           size_t line, const char* format, va_list args) {
  char message[kMaxMessageBytes];
  const bool is_error = level == LogLevel::Error || level == LogLevel::Fatal;
  size_t length = 0;
  if (is_error) ++error_lines;
  if (is_error && running != nullptr) {
    length =
        Format(message, sizeof(message), "Instruction %zu:%zu: ", running->chain, running->index);
  }
  length += pilotlight::executorch_runtime::FormatLog(message + length, sizeof(message) - length,
                                                      format, args);
  pal_emit_log_message(timestamp, ToPalLevel(level), filename, function, line, message, length);
}

}  // namespace internal
}  // namespace runtime
}  // namespace executorch

namespace pilotlight::executorch_runtime {

std::uint32_t ErrorLines() { return executorch::runtime::internal::error_lines; }

RunningInstruction::RunningInstruction(std::size_t chain_, std::size_t index_)
    : chain(chain_), index(index_), outer_(executorch::runtime::internal::running) {
  executorch::runtime::internal::running = this;
}

RunningInstruction::~RunningInstruction() { executorch::runtime::internal::running = outer_; }

executorch::runtime::Error Refuse(executorch::runtime::Error error, const char* format, ...) {
  namespace internal = executorch::runtime::internal;
  va_list args;
  va_start(args, format);
  internal::vlogf(executorch::runtime::LogLevel::Error, internal::get_log_timestamp(), "executorch",
                  "", 0, format, args);
  va_end(args);
  return error;
}

executorch::runtime::Error RefuseAt(const Place& place, executorch::runtime::Error error,
                                    const char* format, ...) {
  char text[executorch::runtime::internal::kMaxMessageBytes];
  va_list args;
  va_start(args, format);
  FormatLog(text, sizeof(text), format, args);
  va_end(args);
  const char* method = place.method == nullptr ? "program" : place.method;
  return Refuse(error, "%s, %s %zu: %s", method, place.what, place.index, text);
}

}  // namespace pilotlight::executorch_runtime
