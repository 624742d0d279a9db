// SPDX-License-Identifier: Apache-2.0
//
// Prints one line for each measurement, with its number of ticks. The emulator advances the counter
// by a fixed amount for each instruction. ../instructions.py converts ticks into instructions, with
// the loops that are measured here.
#include <optional>

#include <executorch/extension/data_loader/buffer_data_loader.h>
#include <executorch/runtime/backend/interface.h>
#include <executorch/runtime/core/hierarchical_allocator.h>
#include <executorch/runtime/core/memory_allocator.h>
#include <executorch/runtime/executor/memory_manager.h>
#include <executorch/runtime/executor/method.h>
#include <executorch/runtime/executor/program.h>
#include <executorch/runtime/kernel/operator_registry.h>
#include <executorch/runtime/platform/runtime.h>

#include "instant_npu.h"
#include "pilotlight/base/check.h"
#include "pilotlight/base/text.h"
#include "pilotlight/ethos_u/backend.h"
#include "pilotlight/ethos_u/npu.h"
#include "pilotlight/platform/clock.h"
#include "pilotlight/platform/console.h"

extern "C" {
extern const std::uint8_t pte_digits[], pte_digits_end[];
extern const std::uint8_t pte_kernels_16[], pte_kernels_16_end[];
extern const std::uint8_t pte_kernels_32[], pte_kernels_32_end[];
extern const std::uint8_t pte_delegates_16[], pte_delegates_16_end[];
extern const std::uint8_t pte_delegates_32[], pte_delegates_32_end[];
}

namespace {

using namespace executorch::runtime;

constexpr std::size_t kMaxPlannedBuffers = 4;
constexpr std::size_t kPlannedBytes = 64 * 1024;

alignas(16) std::uint8_t method_pool[128 * 1024];
__attribute__((section(".tensor_arena"))) alignas(
    32) std::uint8_t planned[kMaxPlannedBuffers][kPlannedBytes];
__attribute__((section(".tensor_arena"))) alignas(32) std::uint8_t temp_pool[256 * 1024];

// Accepts a delegate call and does nothing, so that only the runtime's work is counted.
class NoBackend final : public BackendInterface {
 public:
  bool is_available() const override { return true; }
  Result<DelegateHandle*> init(BackendInitContext&, FreeableBuffer*,
                               ArrayRef<CompileSpec>) const override {
    return nullptr;
  }
  Error execute(BackendExecutionContext&, DelegateHandle*, Span<EValue*>) const override {
    return Error::Ok;
  }
};

// The backend that a .pte finds under the name EthosUBackend. `behind` differs by measurement.
class Switch final : public BackendInterface {
 public:
  const BackendInterface* behind = nullptr;
  bool is_available() const override { return true; }
  Result<DelegateHandle*> init(BackendInitContext& context, FreeableBuffer* processed,
                               ArrayRef<CompileSpec> specs) const override {
    return behind->init(context, processed, specs);
  }
  Error execute(BackendExecutionContext& context, DelegateHandle* handle,
                Span<EValue*> args) const override {
    return behind->execute(context, handle, args);
  }
};

void NoKernel(KernelRuntimeContext&, Span<EValue*>) {}

void Say(const char* name, const char* what, std::uint64_t value) {
  char line[80];
  pilotlight::Text text(line);
  text << name << " " << what << " " << value << "\n";
  pilotlight::platform::ConsoleWrite({reinterpret_cast<const std::byte*>(line), text.size()});
}

template <typename Body>
std::uint64_t Ticks(Body body) {
  const std::uint64_t before = pilotlight::platform::CpuCycles();
  body();
  return pilotlight::platform::CpuCycles() - before;
}

// Two instructions per turn.
__attribute__((noinline)) void Loop(std::uint32_t turns) {
  __asm volatile(
      "1: subs %0, %0, #1 \n"
      "   bne  1b         \n"
      : "+r"(turns)
      :
      : "cc");
}

// If `temp` is the first planned buffer, as in an image, the NPU uses inputs and outputs in place.
void Measure(const char* name, const std::uint8_t* pte, const std::uint8_t* end,
             Span<std::uint8_t> temp = {temp_pool, sizeof(temp_pool)}) {
  executorch::extension::BufferDataLoader loader(pte, static_cast<std::size_t>(end - pte));
  std::optional<Result<Program>> program;
  Say(name, "program", Ticks([&] {
        program.emplace(Program::load(&loader, Program::Verification::InternalConsistency));
      }));
  PILOTLIGHT_CHECK(program->ok());

  const auto meta = (*program)->method_meta("forward");
  PILOTLIGHT_CHECK(meta.ok());
  Span<std::uint8_t> spans[kMaxPlannedBuffers];
  const std::size_t count = meta->num_memory_planned_buffers();
  PILOTLIGHT_CHECK(count <= kMaxPlannedBuffers);
  for (std::size_t i = 0; i < count; ++i) {
    const auto size = meta->memory_planned_buffer_size(i);
    PILOTLIGHT_CHECK(size.ok() && size.get() <= kPlannedBytes);
    spans[i] = {planned[i], kPlannedBytes};
  }
  HierarchicalAllocator planned_memory({spans, count});
  MemoryAllocator method_allocator(sizeof(method_pool), method_pool);
  MemoryAllocator temp_allocator(static_cast<std::uint32_t>(temp.size()), temp.data());
  MemoryManager memory(&method_allocator, &planned_memory, &temp_allocator);

  std::optional<Result<Method>> method;
  Say(name, "load_method",
      Ticks([&] { method.emplace((*program)->load_method("forward", &memory)); }));
  PILOTLIGHT_CHECK(method->ok());
  Say(name, "method_pool_bytes", method_allocator.used_size());

  // The second run shows that the first run has no extra work.
  for (int run = 0; run < 2; ++run) {
    for (std::size_t i = 0; i < (*method)->inputs_size(); ++i) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
      (void)(*method)->mutable_input(i);
#pragma GCC diagnostic pop
    }
    Error error = Error::Internal;
    const std::uint64_t ticks = Ticks([&] { error = (*method)->execute(); });
    PILOTLIGHT_CHECK(error == Error::Ok);
    Say(name, run == 0 ? "execute_first" : "execute", ticks);
  }
}

NoBackend no_backend;
Switch ethos_u_backend;
pilotlight::bench::InstantNpu port;
pilotlight::ethos_u::Npu npu(port);
pilotlight::ethos_u::EthosUBackend delegate(npu);

}  // namespace

int main() {
  runtime_init();
  PILOTLIGHT_CHECK(npu.Open() == pilotlight::Status::kOk);
  PILOTLIGHT_CHECK(register_kernel(Kernel("aten::neg.out", NoKernel)) == Error::Ok);
  PILOTLIGHT_CHECK(register_backend({"BenchBackend", &no_backend}) == Error::Ok);
  PILOTLIGHT_CHECK(register_backend({pilotlight::ethos_u::kBackendName, &ethos_u_backend}) ==
                   Error::Ok);

  Say("clock", "nothing", Ticks([] {}));
  Say("clock", "loop_1000", Ticks([] { Loop(1000); }));
  Say("clock", "loop_2000", Ticks([] { Loop(2000); }));

  Measure("kernels-16", pte_kernels_16, pte_kernels_16_end);
  Measure("kernels-32", pte_kernels_32, pte_kernels_32_end);
  Measure("delegates-16", pte_delegates_16, pte_delegates_16_end);
  Measure("delegates-32", pte_delegates_32, pte_delegates_32_end);
  ethos_u_backend.behind = &no_backend;
  Measure("digits-runtime", pte_digits, pte_digits_end);
  ethos_u_backend.behind = &delegate;
  delegate.BeginInference(~std::uint64_t{0});
  Measure("digits", pte_digits, pte_digits_end, {planned[0], kPlannedBytes});
  Measure("digits-copied", pte_digits, pte_digits_end);
  Say("bench", "end", 0);
  for (;;) __asm volatile("wfi");
}
