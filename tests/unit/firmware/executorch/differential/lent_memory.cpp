// SPDX-License-Identifier: Apache-2.0
//
// Runs a program whose tensors use memory that the caller lends. The caller lends more at one time
// and less at another, in heap blocks of exactly the stated size. See test_lent_memory.py.
//
//   lent_memory well FILE      the caller lends as many rows as it announces; prints the results.
//                              Linked with our runtime and with the wheel's.
//   lent_memory greedy FILE    kernels use all memory that a tensor allows, and the caller makes
//                              mistakes. This mode is only for our runtime; AddressSanitizer finds
//                              the errors.
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <random>
#include <vector>

#include <executorch/extension/data_loader/buffer_data_loader.h>
#include <executorch/runtime/core/exec_aten/util/tensor_util.h>
#include <executorch/runtime/executor/program.h>
#include <executorch/runtime/kernel/kernel_runtime_context.h>
#include <executorch/runtime/platform/runtime.h>

#ifdef REGISTER_OPERATORS
extern "C" void pilotlight_register_operators(void);
#endif

namespace {

using namespace executorch::runtime;  // NOLINT: this whole file is about it
using etensor::ScalarType;
using etensor::Tensor;
using etensor::TensorImpl;

constexpr int kColumns = 3;
constexpr int kMostRows = 4;
constexpr int kGreedyRuns = 20000;

bool greedy = false;
std::size_t calls = 0;

void Grow(const Tensor& tensor) {
  std::vector<std::int32_t> sizes(tensor.sizes().begin(), tensor.sizes().end());
  for (std::int32_t& size : sizes) {
    for (std::int32_t more = size + 1; more < 50; ++more) {
      const std::int32_t before = size;
      size = more;
      if (resize_tensor(tensor, {sizes.data(), sizes.size()}) != Error::Ok) size = before;
    }
  }
}

// Makes the tensor small, so that the next run may lend less.
void Shrink(const Tensor& tensor) {
  std::vector<std::int32_t> sizes(tensor.sizes().begin(), tensor.sizes().end());
  sizes[0] = static_cast<std::int32_t>((calls * 2654435761u >> 13) % 3);
  (void)resize_tensor(tensor, {sizes.data(), sizes.size()});
}

// Reads its first argument and writes its last, in the shape of the first.
void Fill(KernelRuntimeContext& context, Span<EValue*> args) {
  ++calls;
  const Tensor& in = args[0]->toTensor();
  const Tensor& out = args[args.size() - 1]->toTensor();
  if (greedy) {
    Grow(in);
    Grow(out);
  } else if (resize_tensor(out, in.sizes()) != Error::Ok) {
    context.fail(Error::InvalidArgument);
    return;
  }
  const auto* from = static_cast<const std::uint8_t*>(in.const_data_ptr());
  std::uint8_t sum = 1;
  for (std::size_t i = 0; i < in.nbytes(); ++i) sum = static_cast<std::uint8_t>(sum * 31 + from[i]);
  if (out.nbytes() != 0) std::memset(out.mutable_data_ptr(), sum, out.nbytes());
  if (greedy) Shrink(out);
}

// Changes a flag that lasts from one run to the next.
void Flip(KernelRuntimeContext&, Span<EValue*> args) {
  auto* flag = static_cast<std::uint8_t*>(args[0]->toTensor().mutable_data_ptr());
  *flag = *flag == 0;
}

void Print(const Tensor& tensor) {
  std::printf(" [");
  for (const std::int32_t size : tensor.sizes()) std::printf("%d ", static_cast<int>(size));
  std::printf("]");
  const auto* bytes = static_cast<const std::uint8_t*>(tensor.const_data_ptr());
  if (bytes == nullptr && tensor.nbytes() != 0) std::printf(" null");
  if (bytes != nullptr && tensor.nbytes() != 0) std::printf(" %02x", static_cast<unsigned>(*bytes));
}

// A heap block. The block is freed when the next block has taken its place.
using Block = std::unique_ptr<std::uint8_t[]>;

class Caller {
 public:
  explicit Caller(Method& method) : method_(method) {}

  Error LendInput(int rows, bool with_memory) {
    std::int32_t sizes[] = {rows, kColumns};
    std::uint8_t order[] = {0, 1};
    std::int32_t strides[] = {kColumns, 1};
    const auto size_bytes = static_cast<std::size_t>(rows) * kColumns * sizeof(float);
    Block block(new std::uint8_t[size_bytes]);
    std::memset(block.get(), rows, size_bytes);
    TensorImpl impl(ScalarType::Float, 2, sizes, with_memory ? block.get() : nullptr, order,
                    strides);
    const Error error = method_.set_input(EValue(Tensor(&impl)), 0);
    if (error == Error::Ok) input_ = std::move(block);
    return error;
  }

  Error LendOutput(std::size_t size_bytes, std::size_t index, bool with_memory = true) {
    Block block(with_memory ? new std::uint8_t[size_bytes]() : nullptr);
    const Error error = method_.set_output_data_ptr(block.get(), size_bytes, index);
    if (error == Error::Ok) outputs_[index] = std::move(block);
    return error;
  }

 private:
  Method& method_;
  Block input_;
  std::map<std::size_t, Block> outputs_;
};

void RunWell(Method& method, Caller& caller) {
  for (const int rows : {4, 2, 4, 0, 1, 3, 5, 4}) {
    std::printf("%d rows: input 0x%x", rows, static_cast<unsigned>(caller.LendInput(rows, true)));
    const auto size_bytes = static_cast<std::size_t>(kMostRows) * kColumns * sizeof(float);
    std::printf(" output 0x%x", static_cast<unsigned>(caller.LendOutput(size_bytes, 0)));
    std::printf(" execute 0x%x", static_cast<unsigned>(method.execute()));
    for (std::size_t i = 0; i < method.outputs_size(); ++i) Print(method.get_output(i).toTensor());
    std::printf("\n");
  }
}

void RunGreedily(Method& method, Caller& caller) {
  std::mt19937 random(1);
  const auto any = [&](unsigned count) { return static_cast<unsigned>(random() % count); };
  unsigned ran = 0;
  for (int i = 0; i < kGreedyRuns; ++i) {
    if (any(3) != 0) (void)caller.LendInput(static_cast<int>(any(6)), any(8) != 0);
    if (any(3) != 0) (void)caller.LendOutput(any(56), any(2), any(8) != 0);
    if (method.execute() == Error::Ok) ++ran;
  }
  std::printf("ran %u of %d, %zu calls\n", ran, kGreedyRuns, calls);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  greedy = std::strcmp(argv[1], "greedy") == 0;
  runtime_init();
#ifdef REGISTER_OPERATORS
  pilotlight_register_operators();
#endif
  const Kernel kernels[] = {Kernel("probe::fill.out", Fill), Kernel("probe::flip", Flip)};
  if (register_kernels({kernels, 2}) != Error::Ok) return 2;

  std::ifstream file(argv[2], std::ios::binary);
  const std::vector<char> content((std::istreambuf_iterator<char>(file)), {});
  executorch::extension::BufferDataLoader loader(content.data(), content.size());
  const Result<Program> program = Program::load(&loader);
  std::printf("load 0x%x\n", static_cast<unsigned>(program.error()));
  if (!program.ok()) return 0;
  std::vector<std::uint8_t> pool(1 << 16);
  std::vector<std::uint8_t> planned(1024);
  Span<std::uint8_t> spans[] = {{planned.data(), planned.size()}};
  HierarchicalAllocator planned_memory({spans, 1});
  MemoryAllocator allocator(static_cast<std::uint32_t>(pool.size()), pool.data());
  MemoryManager memory(&allocator, &planned_memory);
  Result<Method> method = program->load_method("forward", &memory);
  std::printf("load_method 0x%x\n", static_cast<unsigned>(method.error()));
  if (!method.ok()) return 0;
  Caller caller(*method);
  if (greedy) {
    RunGreedily(*method, caller);
  } else {
    RunWell(*method, caller);
  }
  return 0;
}
