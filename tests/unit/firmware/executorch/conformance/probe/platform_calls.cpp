// SPDX-License-Identifier: Apache-2.0
#include <cinttypes>
#include <cstring>

#include <executorch/runtime/core/portable_type/tensor_impl.h>
#include <executorch/runtime/kernel/operator_registry.h>
#include <executorch/runtime/platform/abort.h>
#include <executorch/runtime/platform/log.h>
#include <executorch/runtime/platform/platform.h>
#include <executorch/runtime/platform/runtime.h>

#include "header_calls.h"
#include "machine.h"
#include "transcript.h"

namespace conformance {
namespace {

using namespace executorch::runtime;  // NOLINT: this file is about it

bool prints_messages = false;
std::size_t allocations = 0;
std::size_t frees = 0;
alignas(16) std::uint8_t heap[256];

void Init() { out << "  init\n"; }

void Abort() {
  out << "aborted\n";
  EndAction();
}

et_timestamp_t Ticks() { return 1234; }
et_tick_ratio_t TicksRatio() { return {3, 7}; }

void EmitMessage(et_timestamp_t timestamp, et_pal_log_level_t level, const char* filename,
                 const char* function, std::size_t line, const char* message, std::size_t length) {
  if (!prints_messages) return;
  out << "  message " << timestamp << " " << static_cast<int>(level) << " " << filename << " "
      << function << ":" << line << " [" << message << "] " << length << " "
      << (std::strlen(message) == length) << "\n";
}

void* Allocate(std::size_t size) {
  ++allocations;
  return size <= sizeof heap ? heap : nullptr;
}

void Free(void* memory) {
  if (memory != nullptr) ++frees;
}

void LogSome() {
  namespace internal = executorch::runtime::internal;
  const auto log = [](LogLevel level, const char* text) {
    internal::logf(level, 99, "file.cpp", "Function", 12, "text '%s' of level %d", text,
                   static_cast<int>(level));
  };
  log(LogLevel::Debug, "a");
  log(LogLevel::Info, "");
  log(LogLevel::Error, "c");
  log(LogLevel::Fatal, "d");
  internal::logf(LogLevel::Error, 1, "f", "g", 2,
                 "%d %u %x %zu %" PRId64 " %" PRIu64 " %5d|%-5d|%05d %c %% %.3s|%8s|%" PRIu32, -1,
                 2u, 0xABCu, std::size_t{3}, std::int64_t{-4}, std::uint64_t{5}, 6, 7, 8, 'z',
                 "abcdef", "right", std::uint32_t{9});
  char long_text[160];
  std::memset(long_text, 'x', sizeof long_text - 1);
  long_text[sizeof long_text - 1] = '\0';
  internal::logf(LogLevel::Error, 1, "f", "g", 2, "%s", long_text);
}

}  // namespace

void UseProbePlatform() {
  (void)register_pal(
      PalImpl::create(Init, Abort, Ticks, TicksRatio, EmitMessage, Allocate, Free, __FILE__));
}

void CallPlatformFunctions() {
  prints_messages = true;
  out << "runtime_init\n";
  runtime_init();
  out << "pal_init\n";
  pal_init();
  const PalImpl* platform = get_pal_impl();
  out << "platform " << (platform->allocate == Allocate) << " ticks " << pal_current_ticks() << " "
      << pal_ticks_to_ns_multiplier().numerator << "/" << pal_ticks_to_ns_multiplier().denominator
      << " of the log " << executorch::runtime::internal::get_log_timestamp() << "\n";
  const std::size_t before = allocations;
  void* const memory = pal_allocate(16);
  pal_free(memory);
  out << "allocated " << allocations - before << " " << (memory == heap) << " freed " << frees
      << " too much " << (pal_allocate(1000) != nullptr) << "\n";
  pal_emit_log_message(5, kError, "a", "b", 3, "text", 4);
  LogSome();
  prints_messages = false;
  // Replaces one hook. The others stay as they were.
  out << "register " << register_pal(PalImpl::create(EmitMessage, "file")) << " keeps "
      << (get_pal_impl()->current_ticks == Ticks) << "\n";
  out << "register without text "
      << register_pal(
             PalImpl::create(nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, "file"))
      << " ticks " << pal_current_ticks() << "\n";
}

void CallAborting(const char* what) {
  const auto kernel = [](KernelRuntimeContext&, Span<EValue*>) {};
  if (std::strcmp(what, "runtime") == 0) runtime_abort();
  if (std::strcmp(what, "platform") == 0) pal_abort();
  if (std::strcmp(what, "kernel twice") == 0) {
    (void)register_kernel(Kernel("probe::twice", kernel));
    (void)register_kernel(Kernel("probe::twice", kernel));
  }
  if (std::strcmp(what, "negative size") == 0) {
    const std::int32_t sizes[] = {2, -1};
    out << etensor::compute_numel(sizes, 2) << "\n";
  }
  out << "went on\n";
}

}  // namespace conformance
