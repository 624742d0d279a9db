// SPDX-License-Identifier: Apache-2.0
#include "program_case.h"

#include <executorch/extension/data_loader/buffer_data_loader.h>
#include <executorch/runtime/executor/method.h>
#include <executorch/runtime/executor/program.h>

#include <cstring>
#include <new>

#include "probes.h"

namespace pilotlight::fuzz {
namespace {

using executorch::aten::Tensor;
using executorch::aten::TensorImpl;
using executorch::extension::BufferDataLoader;
using executorch::runtime::Error;
using executorch::runtime::EValue;
using executorch::runtime::HierarchicalAllocator;
using executorch::runtime::MemoryAllocator;
using executorch::runtime::MemoryManager;
using executorch::runtime::Method;
using executorch::runtime::MethodMeta;
using executorch::runtime::NamedDataMap;
using executorch::runtime::Program;
using executorch::runtime::Result;
using executorch::runtime::TensorInfo;
using Kernels = executorch::runtime::Span<const executorch::runtime::Kernel>;
using ByteSpan = executorch::runtime::Span<std::uint8_t>;

constexpr std::size_t kMaxOutputs = 64;

std::uint32_t log_lines;
bool empty_log_line;
volatile std::uint32_t sink;

// A pool that takes each of its blocks from Memory.
class Pool final : public MemoryAllocator {
 public:
  Pool(Memory& memory, std::size_t limit_bytes)
      : MemoryAllocator(0, nullptr), memory_(memory), limit_bytes_(limit_bytes) {}

  void* allocate(std::size_t size_bytes, std::size_t align) override {
    if (align == 0 || (align & (align - 1)) != 0) Violation("an alignment is no power of two");
    if (size_bytes > limit_bytes_ - used_bytes_) return nullptr;
    void* const block = memory_.Allocate(size_bytes, align);
    if (block != nullptr) used_bytes_ += size_bytes;
    return block;
  }
  std::uint32_t size() const override { return static_cast<std::uint32_t>(limit_bytes_); }
  std::size_t used_size() const override { return used_bytes_; }
  std::size_t free_size() const override { return limit_bytes_ - used_bytes_; }
  void reset() override { used_bytes_ = 0; }

 private:
  Memory& memory_;
  std::size_t limit_bytes_;
  std::size_t used_bytes_ = 0;
};

template <typename T>
T* NewArray(Memory& memory, std::size_t count) {
  if (count > SIZE_MAX / sizeof(T)) return nullptr;
  return static_cast<T*>(memory.Allocate(count * sizeof(T), alignof(T)));
}

class Examination {
 public:
  Examination(Span<const std::uint8_t> file, Kernels kernels, const Limits& limits, Memory& memory)
      : file_(file), kernels_(kernels), limits_(limits), memory_(memory) {}

  Outcome Run() {
    log_lines = 0;
    empty_log_line = false;
    territory.Clear();
    territory.Add(file_.data(), file_.size(), false);
    sink = static_cast<std::uint32_t>(Program::check_header(file_.data(), file_.size()));

    BufferDataLoader loader(file_.data(), file_.size());
    if (Result<Program> strict = Program::load(&loader, Program::Verification::InternalConsistency);
        !strict.ok()) {
      RefuseQuietly(strict.error());
    }
    log_lines = 0;
    Result<Program> program = Program::load(&loader, Program::Verification::Minimal);
    if (!Accepted(Stage::kProgram, program.error())) return outcome_;
    ReadProgram(*program);
    for (std::size_t i = 0; i < program->num_methods() && i < 8; ++i) {
      const Result<const char*> name = program->get_method_name(i);
      if (!Accepted(Stage::kMetadata, name.error())) continue;
      RunMethod(*program, *name);
    }
    if (living_delegates != 0) Violation("a delegate was not destroyed");
    return outcome_;
  }

 private:
  // A refusal logs one line. A refusal for missing operators logs one line for each of them.
  static void RefusedInOneLine(Error error) {
    const std::uint32_t lines = log_lines;
    log_lines = 0;
    if (error == Error::Ok) return;
    if (empty_log_line) Violation("an empty line in the log");
    if (lines == 0) Violation("a refusal without a line in the log");
    if (lines != 1 && error != Error::OperatorMissing) {
      Violation("a refusal with several lines in the log");
    }
  }

  // Records the first refusal as the file's outcome.
  bool Accepted(Stage stage, Error error) {
    const std::uint32_t lines = log_lines;
    RefusedInOneLine(error);
    if (error == Error::Ok) return true;
    if (outcome_.stage == Stage::kDone) {
      outcome_ = {stage, static_cast<std::uint32_t>(error), lines};
    }
    return false;
  }

  // For calls where an error is an ordinary answer, such as the item after the last index.
  void RefuseQuietly(Error error) {
    if (error == Error::Ok) return;
    if (empty_log_line) Violation("an empty line in the log");
    log_lines = 0;
  }

  void ReadProgram(const Program& program) {
    RefuseQuietly(program.get_method_name(program.num_methods()).error());
    RefuseQuietly(program.method_meta("no such method").error());
    for (std::size_t i = 0; i < 4; ++i) {
      const Result<const void*> constant = program.get_constant_buffer_data(i, 4);
      RefuseQuietly(constant.error());
      if (constant.ok()) CheckFileRange(*constant, 4);
    }
    const Result<const NamedDataMap*> named = program.get_named_data_map();
    RefuseQuietly(named.error());
    if (!named.ok()) return;
    const Result<std::uint32_t> count = (*named)->get_num_keys();
    for (std::uint32_t i = 0; count.ok() && i <= *count && i < 64; ++i) {
      const Result<const char*> key = (*named)->get_key(i);
      RefuseQuietly(key.error());
      if (!key.ok()) continue;
      sink = Digest(*key, std::strlen(*key));
      auto data = (*named)->get_data(*key);
      RefuseQuietly(data.error());
      if (data.ok()) CheckFileRange(data->data(), data->size());
    }
    RefuseQuietly((*named)->get_data("no such key").error());
  }

  void CheckFileRange(const void* begin, std::size_t size_bytes) {
    if (!territory.Holds(begin, size_bytes, false)) Violation("data lie outside the file");
    sink = Digest(begin, size_bytes);
  }

  void ReadInfo(const Result<TensorInfo>& info) {
    RefuseQuietly(info.error());
    if (!info.ok()) return;
    std::uint32_t digest = static_cast<std::uint32_t>(info->nbytes());
    for (const auto size : info->sizes()) digest += static_cast<std::uint32_t>(size);
    for (const auto dim : info->dim_order()) digest += dim;
    sink = digest + Digest(info->name().data(), info->name().size());
  }

  void ReadMeta(const MethodMeta& meta) {
    for (std::size_t i = 0; i <= meta.num_inputs(); ++i) {
      RefuseQuietly(meta.input_tag(i).error());
      ReadInfo(meta.input_tensor_meta(i));
    }
    for (std::size_t i = 0; i <= meta.num_outputs(); ++i) {
      RefuseQuietly(meta.output_tag(i).error());
      ReadInfo(meta.output_tensor_meta(i));
    }
    for (std::size_t i = 0; i <= meta.num_attributes(); ++i) {
      ReadInfo(meta.attribute_tensor_meta(i));
    }
    for (std::size_t i = 0; i <= meta.num_backends(); ++i) {
      const Result<const char*> name = meta.get_backend_name(i);
      RefuseQuietly(name.error());
      if (name.ok()) sink = Digest(*name, std::strlen(*name));
    }
    for (std::size_t i = 0; i <= meta.num_memory_planned_buffers() && i < 64; ++i) {
      RefuseQuietly(meta.memory_planned_buffer_size(i).error());
      RefuseQuietly(meta.memory_planned_buffer_device(i).error());
    }
    sink = static_cast<std::uint32_t>(meta.num_instructions() + meta.uses_backend("FuzzBackend"));
  }

  void RunMethod(const Program& program, const char* name) {
    const Result<MethodMeta> meta = program.method_meta(name);
    if (!Accepted(Stage::kMetadata, meta.error())) return;
    ReadMeta(*meta);
    RefuseQuietly(program.get_output_flattening_encoding(name).error());
    log_lines = 0;

    const std::size_t count = meta->num_memory_planned_buffers();
    auto* const spans = NewArray<ByteSpan>(memory_, count);
    if (spans == nullptr) return;
    for (std::size_t i = 0; i < count; ++i) {
      const Result<std::int64_t> size = meta->memory_planned_buffer_size(i);
      RefuseQuietly(size.error());
      std::size_t bytes = 0;
      if (size.ok() && *size > 0) {
        bytes = static_cast<std::uint64_t>(*size) < limits_.planned_bytes
                    ? static_cast<std::size_t>(*size)
                    : limits_.planned_bytes;
      }
      auto* const buffer = static_cast<std::uint8_t*>(memory_.Allocate(bytes, 16));
      if (buffer == nullptr) bytes = 0;
      if (bytes != 0) std::memset(buffer, 0, bytes);
      new (&spans[i]) ByteSpan(buffer, bytes);
      territory.Add(buffer, bytes, true);
    }
    const std::size_t used = RunLoaded(program, name, {spans, count});
    if (used > 0) RunWithLess(program, name, {spans, count}, used);
  }

  // Returns the bytes used of the pool, or 0 when the method was refused.
  std::size_t RunLoaded(const Program& program, const char* name,
                        executorch::runtime::Span<ByteSpan> planned) {
    Pool pool(memory_, limits_.pool_bytes);
    Pool temp(memory_, limits_.temp_bytes);
    HierarchicalAllocator planned_memory(planned);
    MemoryManager manager(&pool, &planned_memory, &temp);
    log_lines = 0;
    Result<Method> method =
        program.load_method(name, &manager, nullptr, nullptr, nullptr, kernels_);
    if (!Accepted(Stage::kMethod, method.error())) return 0;
    const std::size_t used = pool.used_size();
    RunMethod(*method);
    return used;
  }

  // Loads and runs again with less of each kind of memory: too little must be reported.
  void RunWithLess(const Program& program, const char* name,
                   executorch::runtime::Span<ByteSpan> planned, std::size_t used_bytes) {
    const std::uint32_t choice = Digest(file_.data(), file_.size());
    log_lines = 0;
    {
      Pool pool(memory_, choice % used_bytes);  // The pool may end anywhere.
      Pool temp(memory_, limits_.temp_bytes);
      HierarchicalAllocator planned_memory(planned);
      MemoryManager manager(&pool, &planned_memory, &temp);
      const Error error =
          program.load_method(name, &manager, nullptr, nullptr, nullptr, kernels_).error();
      if (error != Error::MemoryAllocationFailed) Violation("too small a pool sufficed");
      RefusedInOneLine(error);
    }
    {
      Pool pool(memory_, limits_.pool_bytes);
      Pool temp(memory_, 0);
      HierarchicalAllocator planned_memory(planned);
      MemoryManager manager(&pool, &planned_memory, &temp);
      Result<Method> method =
          program.load_method(name, &manager, nullptr, nullptr, nullptr, kernels_);
      if (!method.ok()) Violation("refused when loaded a second time");
      log_lines = 0;
      if (SetOutputs(*method) && SetInputs(*method, true)) RefusedInOneLine(method->execute());
    }
    if (planned.empty()) return;
    // Half of one planned buffer. The program may not need the other half.
    ByteSpan& cut = planned[choice % planned.size()];
    const ByteSpan whole = cut;
    cut = ByteSpan(whole.data(), whole.size() / 2);
    Pool pool(memory_, limits_.pool_bytes);
    Pool temp(memory_, limits_.temp_bytes);
    HierarchicalAllocator planned_memory(planned);
    MemoryManager manager(&pool, &planned_memory, &temp);
    log_lines = 0;
    RefusedInOneLine(
        program.load_method(name, &manager, nullptr, nullptr, nullptr, kernels_).error());
    cut = whole;
  }

  void RunMethod(Method& method) {
    if (!SetOutputs(method) || !SetInputs(method, true)) return;
    const bool ran = Accepted(Stage::kExecute, method.execute());
    ReadOutputs(method);
    // Runs again, as an app would, with all inputs at their largest shape.
    if (ran && SetInputs(method, false)) {
      if (Accepted(Stage::kExecute, method.execute())) ReadOutputs(method);
    }
    for (std::size_t i = 0; i < method.inputs_size(); ++i)
      sink = sink + (method.get_input(i).tag != executorch::runtime::Tag::None);
    const MethodMeta meta = method.method_meta();
    for (std::size_t i = 0; i < meta.num_attributes() && i < 8; ++i) {
      const Result<TensorInfo> info = meta.attribute_tensor_meta(i);
      RefuseQuietly(info.error());
      if (info.ok()) RefuseQuietly(method.get_attribute(info->name()).error());
    }
  }

  // `smaller`: inputs with a dynamic shape get size 1 in each dimension, and all bytes are zero.
  // Otherwise the bytes have all kinds of values; as indices, most of them are out of range.
  bool SetInputs(Method& method, bool smaller) {
    for (std::size_t i = 0; i < method.inputs_size(); ++i) {
      const EValue own = method.get_input(i);
      if (!own.isTensor()) {
        const Error error = method.set_input(own, i);
        // set_input() refuses a list.
        if (!Accepted(Stage::kInputs, error)) return false;
        continue;
      }
      const Tensor like = own.toTensor();
      if (like.nbytes() > limits_.tensor_bytes) return false;
      const bool shrink =
          smaller && like.shape_dynamism() != executorch::aten::TensorShapeDynamism::STATIC;
      TensorImpl* const given = Copy(like, shrink, smaller);
      if (given == nullptr) return false;
      if (!Accepted(Stage::kInputs, method.set_input(EValue(Tensor(given)), i))) return false;
    }
    return true;
  }

  TensorImpl* Copy(const Tensor& like, bool shrink, bool zeros) {
    const auto rank = static_cast<std::size_t>(like.dim());
    auto* const sizes = NewArray<std::int32_t>(memory_, rank);
    auto* const order = NewArray<std::uint8_t>(memory_, rank);
    auto* const strides = NewArray<std::int32_t>(memory_, rank);
    auto* const impl = NewArray<TensorImpl>(memory_, 1);
    auto* const data = static_cast<std::uint8_t*>(memory_.Allocate(like.nbytes(), 16));
    if (sizes == nullptr || order == nullptr || strides == nullptr || impl == nullptr ||
        data == nullptr) {
      return nullptr;
    }
    for (std::size_t i = 0; i < rank; ++i) {
      sizes[i] = shrink && like.size(static_cast<ssize_t>(i)) > 1
                     ? 1
                     : static_cast<std::int32_t>(like.size(static_cast<ssize_t>(i)));
      order[i] = like.dim_order()[i];
      strides[i] = like.strides()[i];
    }
    const bool is_bool = like.scalar_type() == executorch::aten::ScalarType::Bool;
    for (std::size_t i = 0; i < like.nbytes(); ++i) {
      const auto byte = static_cast<std::uint8_t>(i * 37 + (i >> 8) + 1);
      data[i] = zeros ? 0 : is_bool ? byte & 1 : byte;
    }
    territory.Add(data, like.nbytes(), true);
    return new (impl) TensorImpl(like.scalar_type(), like.dim(), sizes, data, order, strides);
  }

  bool SetOutputs(Method& method) {
    for (std::size_t i = 0; i < method.outputs_size() && i < kMaxOutputs; ++i) {
      const EValue& output = method.get_output(i);
      if (!output.isTensor()) continue;
      const Tensor tensor = output.toTensor();
      const std::size_t size_bytes = tensor.nbytes();
      if (size_bytes > limits_.tensor_bytes) return false;
      if (tensor.const_data_ptr() != nullptr) continue;
      void* const data = memory_.Allocate(size_bytes, 16);
      if (data == nullptr) return false;
      if (size_bytes != 0) std::memset(data, 0, size_bytes);
      territory.Add(data, size_bytes, true);
      RefuseQuietly(method.set_output_data_ptr(data, size_bytes, i));
    }
    return true;
  }

  void ReadOutputs(Method& method) {
    const std::size_t count = method.outputs_size();
    if (count > kMaxOutputs) return;
    EValue* const values = NewArray<EValue>(memory_, count);
    if (values == nullptr) return;
    for (std::size_t i = 0; i < count; ++i) new (&values[i]) EValue();
    RefuseQuietly(method.get_outputs(values, count));
    for (std::size_t i = 0; i < count; ++i) {
      if (!values[i].isTensor()) continue;
      const Tensor tensor = values[i].toTensor();
      const void* const data = tensor.const_data_ptr();
      if (data == nullptr || tensor.nbytes() == 0) continue;
      if (!territory.Holds(data, tensor.nbytes(), false)) Violation("an output lies outside");
      sink = Digest(data, tensor.nbytes());
    }
  }

  Span<const std::uint8_t> file_;
  Kernels kernels_;
  const Limits& limits_;
  Memory& memory_;
  Outcome outcome_;
};

}  // namespace

const char* NameOf(Stage stage) {
  switch (stage) {
    case Stage::kProgram:
      return "program";
    case Stage::kMetadata:
      return "metadata";
    case Stage::kMethod:
      return "method";
    case Stage::kInputs:
      return "inputs";
    case Stage::kExecute:
      return "execute";
    case Stage::kDone:
      return "ran";
  }
  return "?";
}

Outcome Examine(Span<const std::uint8_t> file, Kernels kernels, const Limits& limits,
                Memory& memory) {
  return Examination(file, kernels, limits, memory).Run();
}

void CountLogLine(std::size_t length) {
  ++log_lines;
  if (length == 0) empty_log_line = true;
}

}  // namespace pilotlight::fuzz
