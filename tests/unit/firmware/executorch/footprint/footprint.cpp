// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>

#include <executorch/extension/data_loader/buffer_data_loader.h>
#include <executorch/runtime/executor/program.h>
#include <executorch/runtime/platform/runtime.h>

using namespace executorch::runtime;  // NOLINT: an application in one function

// This is volatile, so that the compiler knows nothing about the program.
const volatile std::uint8_t* volatile pte;
volatile std::size_t pte_size;
alignas(8) std::uint8_t method_pool[4096];
alignas(32) std::uint8_t planned[4096];
alignas(32) std::uint8_t temp[4096];

// A platform must define these. The tables of virtual functions refer to operator delete, and the
// library versions of both functions would link the heap.
extern "C" [[noreturn]] void abort() { __builtin_trap(); }
void operator delete(void*) noexcept { __builtin_trap(); }
void operator delete(void*, std::size_t) noexcept { __builtin_trap(); }

extern "C" int Run(const EValue& input);
int Run(const EValue& input) {
  runtime_init();
  executorch::extension::BufferDataLoader loader(const_cast<const std::uint8_t*>(pte), pte_size);
  const Result<Program> program = Program::load(&loader);
  if (!program.ok()) return 1;
  const Result<MethodMeta> meta = program->method_meta("forward");
  if (!meta.ok() || meta->num_memory_planned_buffers() != 1) return 5;
  const Result<std::int64_t> planned_bytes = meta->memory_planned_buffer_size(0);
  if (!planned_bytes.ok() || *planned_bytes > std::int64_t{sizeof(planned)}) return 6;
  if (!meta->input_tensor_meta(0).ok() || !meta->output_tensor_meta(0).ok()) return 7;
  MemoryAllocator method_allocator(sizeof(method_pool), method_pool);
  MemoryAllocator temp_allocator(sizeof(temp), temp);
  Span<std::uint8_t> buffers[] = {{planned, sizeof(planned)}};
  HierarchicalAllocator planned_memory({buffers, 1});
  MemoryManager memory(&method_allocator, &planned_memory, &temp_allocator);
  Result<Method> method = program->load_method("forward", &memory);
  if (!method.ok() || method->set_input(input, 0) != Error::Ok) return 2;
  if (method->execute() != Error::Ok) return 3;
  return method->get_output(0).isTensor() ? 0 : 4;
}

extern "C" [[noreturn]] void _start();
void _start() {
  Run(EValue());
  for (;;) {
  }
}
