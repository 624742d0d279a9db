// SPDX-License-Identifier: Apache-2.0
#include "pilotlight/platform/system.h"

namespace pilotlight::platform {
namespace {

LogSink log_sink = nullptr;

}  // namespace

void SetLogSink(LogSink sink) { log_sink = sink; }

void Log(LogLevel level, const char* text, std::size_t length) {
  if (log_sink != nullptr) log_sink(level, text, length);
}

}  // namespace pilotlight::platform
