// SPDX-License-Identifier: Apache-2.0
#include "probe_fakes.h"

#include <cstdint>
#include <cstdio>
#include <cstring>

#include "probe_print.h"

namespace probe {

using namespace executorch::runtime;  // NOLINT: this whole file is about it
using etensor::ScalarType;
using etensor::Tensor;

namespace {

// The content is a function of all earlier arguments and their order, so a wrong argument changes
// the output.
void FillLastTensor(Span<EValue*> args) {
  std::uint32_t hash = 2166136261u;
  for (std::size_t i = 0; i + 1 < args.size(); ++i) {
    if (args[i] == args[args.size() - 1]) continue;
    if (args[i]->isTensor() && args[i]->toTensor().const_data_ptr() != nullptr) {
      hash = Hash(args[i]->toTensor().const_data_ptr(), args[i]->toTensor().nbytes(), hash);
    } else if (args[i]->isInt()) {
      const std::int64_t value = args[i]->toInt();
      hash = Hash(&value, sizeof(value), hash);
    }
  }
  if (args.empty() || !args[args.size() - 1]->isTensor()) return;
  const Tensor& out = args[args.size() - 1]->toTensor();
  auto* bytes = static_cast<std::uint8_t*>(out.mutable_data_ptr());
  if (bytes == nullptr) return;
  for (std::size_t i = 0; i < out.nbytes(); ++i) {
    hash = hash * 1664525u + 1013904223u;
    bytes[i] = out.scalar_type() == ScalarType::Bool ? (hash >> 24) % 2 : std::uint8_t(hash >> 25);
  }
}

struct FakeBackend final : BackendInterface {
  bool is_available() const override { return true; }

  Result<DelegateHandle*> init(BackendInitContext& context, FreeableBuffer* processed,
                               ArrayRef<CompileSpec> specs) const override {
    std::printf("  init %s: %zu bytes %08x\n", context.get_method_name(), processed->size(),
                Hash(processed->data(), processed->size()));
    for (const CompileSpec& spec : specs) {
      std::printf("    spec %s %08x\n", spec.key, Hash(spec.value.buffer, spec.value.nbytes));
    }
    const NamedDataMap* named = context.get_named_data_map();
    std::printf("    named data %d\n", named != nullptr);
    if (named != nullptr) {
      for (std::uint32_t i = 0; i < named->get_num_keys().get(); ++i) {
        const Result<const char*> entry = named->get_key(i);
        if (!entry.ok()) {
          std::printf("    key %u 0x%x\n", static_cast<unsigned>(i), Code(entry.error()));
          continue;
        }
        const char* key = *entry;
        Result<FreeableBuffer> data = named->get_data(key);
        std::printf("    %s 0x%x", key, Code(data.error()));
        if (data.ok())
          std::printf(" %zu bytes %08x", data->size(), Hash(data->data(), data->size()));
        std::printf("\n");
      }
      std::printf("    missing key 0x%x\n", Code(named->get_data("no such key").error()));
      std::printf("    key out of range 0x%x\n", Code(named->get_key(1000000).error()));
    }
    if (processed->size() >= 4 && std::memcmp(processed->data(), "BAD!", 4) == 0) {
      return Error::DelegateInvalidCompatibility;
    }
    return context.get_runtime_allocator()->allocate(16);
  }

  Error execute(BackendExecutionContext& context, DelegateHandle*,
                Span<EValue*> args) const override {
    std::printf("  delegate in %s with %zu arguments\n", context.get_method_name(), args.size());
    for (EValue* arg : args) {
      std::printf("    ");
      PrintValue(*arg);
    }
    FillLastTensor(args);
    return Error::Ok;
  }

  void destroy(DelegateHandle*) const override { std::printf("  destroy\n"); }
};

}  // namespace

void TracingKernel(KernelRuntimeContext& context, Span<EValue*> args) {
  std::printf("  kernel with %zu arguments\n", args.size());
  for (EValue* arg : args) {
    std::printf("    ");
    PrintValue(*arg);
  }
  const Result<void*> temp = context.allocate_temp(24);
  std::printf("    temp 0x%x\n", Code(temp.error()));
  FillLastTensor(args);
}

void FailingKernel(KernelRuntimeContext& context, Span<EValue*>) {
  context.fail(Error::NotImplemented);
}

void CountdownKernel(KernelRuntimeContext&, Span<EValue*> args) {
  const std::int64_t left = args[0]->toInt() - 1;
  *args[0] = EValue(left);
  *args[1] = EValue(left > 0);
}

BackendInterface* TracingBackend() {
  static FakeBackend backend;
  return &backend;
}

}  // namespace probe
