// SPDX-License-Identifier: Apache-2.0
//
// Prints, for each .pte, the least time in nanoseconds that Program::load() and
// load_method("forward") took in ROUNDS rounds: "FILE LOAD LOAD_METHOD". This program is linked
// with our runtime and with the wheel's; load_speed.py runs both in turns.
//
//   load ROUNDS FILE...
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <executorch/extension/data_loader/buffer_data_loader.h>
#include <executorch/runtime/executor/program.h>
#include <executorch/runtime/kernel/operator_registry.h>
#include <executorch/runtime/platform/runtime.h>

namespace {

using namespace executorch::runtime;  // NOLINT: this whole file is about it
using Clock = std::chrono::steady_clock;

constexpr std::size_t kOtherKernels = 40;  // As many as an image with some operators has.
constexpr std::size_t kPoolBytes = 4 << 20;
constexpr std::size_t kPlannedBytes = 1 << 20;

void NoKernel(KernelRuntimeContext&, Span<EValue*>) {}

long long Nanoseconds(Clock::time_point start) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - start).count();
}

bool Measure(const char* path, int rounds) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> content((std::istreambuf_iterator<char>(file)), {});
  const std::size_t room = (content.size() + 63) / 64 * 64;
  auto* data = static_cast<char*>(std::aligned_alloc(64, room));
  std::copy(content.begin(), content.end(), data);
  std::vector<std::uint8_t> pool(kPoolBytes);
  std::vector<std::uint8_t> planned(kPlannedBytes);
  Span<std::uint8_t> buffers[] = {{planned.data(), planned.size()}};
  long long load = -1;
  long long load_method = -1;
  for (int round = 0; round < rounds; ++round) {
    executorch::extension::BufferDataLoader loader(data, content.size());
    Clock::time_point start = Clock::now();
    const Result<Program> program = Program::load(&loader);
    const long long loaded = Nanoseconds(start);
    MemoryAllocator method_allocator(static_cast<std::uint32_t>(pool.size()), pool.data());
    MemoryAllocator temp_allocator(0, nullptr);
    HierarchicalAllocator planned_memory({buffers, 1});
    MemoryManager memory(&method_allocator, &planned_memory, &temp_allocator);
    if (!program.ok()) return false;
    start = Clock::now();
    const Result<Method> method = program->load_method("forward", &memory);
    const long long method_loaded = Nanoseconds(start);
    if (!method.ok()) return false;
    if (load < 0 || loaded < load) load = loaded;
    if (load_method < 0 || method_loaded < load_method) load_method = method_loaded;
  }
  std::printf("%s %lld %lld\n", path, load, load_method);
  std::free(data);
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  runtime_init();
  std::vector<std::string> names;
  for (std::size_t i = 0; i < kOtherKernels; ++i)
    names.push_back("aten::other" + std::to_string(i));
  names.emplace_back("aten::neg.out");
  for (const std::string& name : names) {
    if (register_kernel(Kernel(name.c_str(), NoKernel)) != Error::Ok) return 1;
  }
  for (int i = 2; i < argc; ++i) {
    if (!Measure(argv[i], std::atoi(argv[1]))) return 1;
  }
  return 0;
}
