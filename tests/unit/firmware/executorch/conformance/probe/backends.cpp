// SPDX-License-Identifier: Apache-2.0
#include "backends.h"

#include <cstring>

#include <executorch/runtime/backend/interface.h>
#include <executorch/runtime/core/event_tracer_hooks_delegate.h>

#include "named_data.h"
#include "tracing_kernels.h"
#include "transcript.h"

namespace conformance {
namespace {

using namespace executorch::runtime;  // NOLINT: this file implements its interface

constexpr const char* kNames[] = {"AddingBackend", "MultiplyingBackend", "EthosUBackend"};

void PrintOptions(Span<const BackendOption> options) {
  for (const BackendOption& option : options) {
    out << "    option " << option.key << " of kind " << option.value.index() << "\n";
  }
}

// The handle is a number in the pool. execute() and destroy() must receive the same handle.
class PrintingBackend final : public BackendInterface {
 public:
  bool is_available() const override { return available; }

  Result<DelegateHandle*> init(BackendInitContext& context, FreeableBuffer* processed,
                               ArrayRef<CompileSpec> specs) const override {
    out << "  init in " << context.get_method_name() << ": " << processed->size() << " bytes ";
    out.Hex(Hash(processed->data(), processed->size())) << "\n";
    for (const CompileSpec& spec : specs) {
      out << "    spec " << spec.key << " " << spec.value.nbytes << " ";
      out.Hex(Hash(spec.value.buffer, spec.value.nbytes)) << "\n";
    }
    PrintOptions(context.runtime_specs());
    const Result<int> level = context.get_runtime_spec<int>("level");
    out << "    level " << level.error() << " " << (level.ok() ? *level : 0) << ", as bool "
        << context.get_runtime_spec<bool>("level").error() << "\n";
    if (context.get_named_data_map() == nullptr) {
      out << "    no named data\n";
    } else {
      Print(*context.get_named_data_map());
    }
    if (processed->size() >= 4 && std::memcmp(processed->data(), "BAD!", 4) == 0) {
      return Error::DelegateInvalidCompatibility;
    }
    auto* handle = context.get_runtime_allocator()->allocateInstance<std::uint32_t>();
    if (handle == nullptr) return Error::MemoryAllocationFailed;
    *handle = static_cast<std::uint32_t>(processed->size());
    processed->Free();
    return handle;
  }

  Error execute(BackendExecutionContext& context, DelegateHandle* handle,
                Span<EValue*> args) const override {
    out << "  delegate of " << *static_cast<std::uint32_t*>(handle) << " bytes in "
        << context.get_method_name() << " with " << args.size() << " arguments, temp "
        << (context.allocate(24) != nullptr) << "\n";
    const EventTracerEntry entry =
        event_tracer_start_profiling_delegate(context.event_tracer(), "work", -1);
    Trace(args);
    event_tracer_end_profiling_delegate(context.event_tracer(), entry);
    return fails ? Error::Internal : Error::Ok;
  }

  Error set_option(BackendOptionContext&, const Span<BackendOption>& options) override {
    out << "  set\n";
    PrintOptions({options.data(), options.size()});
    return options.size() > 1 ? Error::InvalidArgument : Error::Ok;
  }

  Error get_option(BackendOptionContext&, Span<BackendOption>& options) override {
    out << "  get\n";
    for (BackendOption& option : options) option.value = 42;
    return Error::Ok;
  }

  void destroy(DelegateHandle* handle) const override {
    out << "  destroy " << *static_cast<std::uint32_t*>(handle) << "\n";
  }

  bool available = true;
  bool fails = false;
};

PrintingBackend backends[3];

void PrintRegistry() {
  const std::size_t count = get_num_registered_backends();
  // The wheel's libraries register backends of their own.
  for (const char* name : kNames) {
    out << "backend " << name << " " << (get_backend_class(name) != nullptr) << "\n";
    for (std::size_t i = 0; i < count; ++i) {
      if (std::strcmp(*get_backend_name(i), name) == 0) out << "  is in the list\n";
    }
  }
  out << "backend out of range " << get_backend_name(count).error() << "\n";
}

void TryOptions() {
  BackendOptions<2> options;
  out << "option set " << options.set_option("level", 3) << "\n";
  out << "set_option " << set_option("AddingBackend", options.view()) << "\n";
  out << "option set " << options.set_option("mode", "fast") << "\n";
  out << "set_option of two " << set_option("AddingBackend", options.view()) << "\n";
  out << "set_option of none " << set_option("AddingBackend", {}) << "\n";
  out << "set_option unknown " << set_option("NoSuchBackend", options.view()) << "\n";
  out << "get_option " << get_option("AddingBackend", options.view()) << "\n";
  int level = 0;
  out << "option got " << options.get_option("level", level) << " " << level << "\n";
  out << "get_option unknown " << get_option("NoSuchBackend", options.view()) << "\n";
}

}  // namespace

void RegisterBackends() {
  PrintRegistry();
  for (std::size_t i = 0; i < 3; ++i) {
    out << "register " << kNames[i] << " " << register_backend({kNames[i], &backends[i]}) << "\n";
  }
  out << "register twice " << register_backend({kNames[0], &backends[1]}) << "\n";
  PrintRegistry();
  TryOptions();
}

const LoadBackendOptionsMap& LoadOptions() {
  static BackendOptions<2> options;
  static LoadBackendOptionsMap map;
  if (map.size() == 0) {
    (void)options.set_option("level", 3);
    (void)options.set_option("mode", "fast");
    (void)map.set_options("AddingBackend", options.view());
    (void)map.set_options("NoSuchBackend", options.view());
  }
  return map;
}

}  // namespace conformance
