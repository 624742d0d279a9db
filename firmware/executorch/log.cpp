// SPDX-License-Identifier: Apache-2.0
//
// Log messages: formatted here into a buffer on the stack, emitted by the
// platform. What is compiled in at all is decided by ET_MIN_LOG_LEVEL.
#include <executorch/runtime/platform/log.h>

#include <cstdarg>
#include <cstddef>
#include <cstdio>

#include <executorch/runtime/platform/platform.h>

namespace executorch {
namespace runtime {
namespace internal {
namespace {

// Longer messages are cut; the firmware's log frames are no longer either.
constexpr size_t kMaxMessageBytes = 256;

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
#if ET_LOG_ENABLED
  char message[kMaxMessageBytes];
  const int written = std::vsnprintf(message, sizeof(message), format, args);
  size_t length = 0;
  if (written > 0) {
    length = static_cast<size_t>(written);
    if (length >= sizeof(message)) {
      length = sizeof(message) - 1;
      message[length - 1] = '$';  // Shows that the rest is missing.
    }
  }
  message[length] = '\0';
  pal_emit_log_message(timestamp, ToPalLevel(level), filename, function, line, message, length);
#else
  (void)level, (void)timestamp, (void)filename, (void)function, (void)line, (void)format,
      (void)args;
#endif
}

}  // namespace internal
}  // namespace runtime
}  // namespace executorch
