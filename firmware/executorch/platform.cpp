// SPDX-License-Identifier: Apache-2.0
//
// The platform layer. Every hook has a weak default. The application replaces a hook with a strong
// definition of the same et_pal_* name at link time, or with register_pal() at run time. The
// defaults need no clock and no heap; et_pal_abort() traps, and the others do nothing.
#define ET_INTERNAL_PLATFORM_WEAKNESS ET_WEAK
#include <executorch/runtime/platform/platform.h>

#include <cstddef>

#include <executorch/runtime/platform/abort.h>
#include <executorch/runtime/platform/log.h>
#include <executorch/runtime/platform/runtime.h>

void et_pal_init() {}

[[noreturn]] void et_pal_abort() { __builtin_trap(); }

et_timestamp_t et_pal_current_ticks() { return 0; }

et_tick_ratio_t et_pal_ticks_to_ns_multiplier() { return {1, 1}; }

void et_pal_emit_log_message(et_timestamp_t, et_pal_log_level_t, const char*, const char*, size_t,
                             const char*, size_t) {}

void* et_pal_allocate(size_t) { return nullptr; }

void et_pal_free(void*) {}

namespace executorch::runtime {
namespace {

// Constant-initialised, so the hooks work before any static constructor has run.
PalImpl pal{et_pal_init,
            et_pal_abort,
            et_pal_current_ticks,
            et_pal_ticks_to_ns_multiplier,
            et_pal_emit_log_message,
            et_pal_allocate,
            et_pal_free,
            nullptr};

template <typename Hook>
void Replace(Hook& hook, Hook replacement) {
  if (replacement != nullptr) hook = replacement;
}

}  // namespace

PalImpl PalImpl::create(pal_emit_log_message_method emit_log_message, const char* source_filename) {
  return create(nullptr, nullptr, nullptr, nullptr, emit_log_message, nullptr, nullptr,
                source_filename);
}

PalImpl PalImpl::create(pal_init_method init, pal_abort_method abort,
                        pal_current_ticks_method current_ticks,
                        pal_ticks_to_ns_multiplier_method ticks_to_ns_multiplier,
                        pal_emit_log_message_method emit_log_message, pal_allocate_method allocate,
                        pal_free_method free, const char* source_filename) {
  return {init,     abort, current_ticks,  ticks_to_ns_multiplier, emit_log_message,
          allocate, free,  source_filename};
}

bool register_pal(PalImpl impl) {
  Replace(pal.init, impl.init);
  Replace(pal.abort, impl.abort);
  Replace(pal.current_ticks, impl.current_ticks);
  Replace(pal.ticks_to_ns_multiplier, impl.ticks_to_ns_multiplier);
  Replace(pal.emit_log_message, impl.emit_log_message);
  Replace(pal.allocate, impl.allocate);
  Replace(pal.free, impl.free);
  pal.source_filename = impl.source_filename;
  return true;
}

const PalImpl* get_pal_impl() { return &pal; }

void pal_init() { pal.init(); }

void pal_abort() {
  pal.abort();
  __builtin_trap();  // The hook's type does not promise that it never returns.
}

et_timestamp_t pal_current_ticks() { return pal.current_ticks(); }

et_tick_ratio_t pal_ticks_to_ns_multiplier() { return pal.ticks_to_ns_multiplier(); }

void pal_emit_log_message(et_timestamp_t timestamp, et_pal_log_level_t level, const char* filename,
                          const char* function, size_t line, const char* message, size_t length) {
  pal.emit_log_message(timestamp, level, filename, function, line, message, length);
}

void* pal_allocate(size_t size) { return pal.allocate(size); }

void pal_free(void* ptr) { pal.free(ptr); }

void runtime_init() {
  static bool is_done = false;
  if (!is_done) pal_init();
  is_done = true;
}

void runtime_abort() { pal_abort(); }

}  // namespace executorch::runtime
