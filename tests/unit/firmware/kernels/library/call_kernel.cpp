// SPDX-License-Identifier: Apache-2.0
//
// Calls one registered kernel by its operator's name, with arguments that Python provides.
// kernel_library.py repeats the structs. During the call, each tensor borders on a page without
// access.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include <executorch/runtime/core/evalue.h>
#include <executorch/runtime/core/exec_aten/exec_aten.h>
#include <executorch/runtime/core/exec_aten/util/dim_order_util.h>
#include <executorch/runtime/core/memory_allocator.h>
#include <executorch/runtime/kernel/kernel_runtime_context.h>
#include <executorch/runtime/kernel/operator_registry.h>
#include <executorch/runtime/platform/runtime.h>

namespace {

using executorch::aten::DimOrderType;
using executorch::aten::ScalarType;
using executorch::aten::SizesType;
using executorch::aten::StridesType;
using executorch::aten::Tensor;
using executorch::aten::TensorImpl;
using executorch::aten::TensorShapeDynamism;
using executorch::runtime::BoxedEvalueList;
using executorch::runtime::Error;
using executorch::runtime::EValue;
using executorch::runtime::KernelRuntimeContext;
using executorch::runtime::MemoryAllocator;
using executorch::runtime::Span;

struct TensorArgument {
  void* data;
  SizesType* sizes;  // Written back with the sizes that the kernel gave it.
  const DimOrderType* dim_order;
  std::int32_t rank;
  std::int32_t dtype;
  std::int32_t dynamism;
};

enum class Kind : std::int32_t {
  kNone,
  kInt,
  kDouble,
  kBool,
  kTensor,
  kIntList,
  kDoubleList,
  kBoolList,
  kTensorList,
  kOptionalTensorList,
  kString,
};

struct Argument {
  Kind kind;
  std::int32_t count;  // Length of a list.
  std::int64_t integer;
  double number;
  std::int64_t* integers;
  double* numbers;
  bool* flags;
  TensorArgument** tensors;  // One, or a list; null is None in an optional list.
  const char* text;
};

// The side of a tensor on which the page without access lies.
enum class Fence : std::int32_t { kBehind, kBefore };

// A copy of some bytes that ends or starts at a page without access. An access beyond that end
// stops the process.
class FencedCopy {
 public:
  FencedCopy(void* original, std::size_t bytes, Fence fence) : original_(original), bytes_(bytes) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    mapped_ = (bytes + page - 1) / page * page + 2 * page;
    void* const mapping =
        mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ET_CHECK_MSG(mapping != MAP_FAILED, "no memory for a tensor");
    start_ = static_cast<std::uint8_t*>(mapping);
    mprotect(start_, page, PROT_NONE);
    mprotect(start_ + mapped_ - page, page, PROT_NONE);
    copy_ = fence == Fence::kBefore ? start_ + page : start_ + mapped_ - page - bytes;
    if (bytes > 0) std::memcpy(copy_, original, bytes);
  }
  ~FencedCopy() { munmap(start_, mapped_); }
  FencedCopy(const FencedCopy&) = delete;
  FencedCopy& operator=(const FencedCopy&) = delete;

  // The pointer of a tensor without elements is the caller's choice; it may be null.
  void* data() { return bytes_ == 0 ? original_ : copy_; }

  void WriteBack() {
    if (bytes_ > 0) std::memcpy(original_, copy_, bytes_);
  }

 private:
  void* original_;
  std::size_t bytes_;
  std::size_t mapped_;
  std::uint8_t* start_;
  std::uint8_t* copy_;
};

// Owns everything that the EValues of one call point to.
class Call {
 public:
  explicit Call(Fence fence) : fence_(fence) {}

  void WriteBack() {
    for (FencedCopy& copy : copies_) copy.WriteBack();
  }

  EValue* Make(const Argument& argument) {
    const auto count = static_cast<std::size_t>(argument.count);
    switch (argument.kind) {
      case Kind::kNone:
        return Keep(EValue());
      case Kind::kInt:
        return Keep(EValue(argument.integer));
      case Kind::kDouble:
        return Keep(EValue(argument.number));
      case Kind::kBool:
        return Keep(EValue(argument.integer != 0));
      case Kind::kTensor:
        return Keep(EValue(MakeTensor(*argument.tensors[0])));
      case Kind::kIntList: {
        const auto items = Pointers(count);
        for (std::size_t i = 0; i < count; ++i) items[i] = Keep(EValue(argument.integers[i]));
        integers_.emplace_back(count + 1);
        int_lists_.emplace_back(items, integers_.back().data(), argument.count);
        return Keep(EValue(&int_lists_.back()));
      }
      case Kind::kDoubleList:
        doubles_.emplace_back(argument.numbers, count);
        return Keep(EValue(&doubles_.back()));
      case Kind::kBoolList:
        flags_.emplace_back(argument.flags, count);
        return Keep(EValue(&flags_.back()));
      case Kind::kTensorList: {
        const auto items = Pointers(count);
        for (std::size_t i = 0; i < count; ++i)
          items[i] = Keep(EValue(MakeTensor(*argument.tensors[i])));
        // Raw: a Tensor has no default constructor, and the list assigns to its items.
        tensors_.emplace_back(count + 1, Tensor(nullptr));
        tensor_lists_.emplace_back(items, tensors_.back().data(), argument.count);
        return Keep(EValue(&tensor_lists_.back()));
      }
      case Kind::kOptionalTensorList: {
        const auto items = Pointers(count);
        for (std::size_t i = 0; i < count; ++i) {
          items[i] = argument.tensors[i] == nullptr
                         ? Keep(EValue())
                         : Keep(EValue(MakeTensor(*argument.tensors[i])));
        }
        optional_tensors_.emplace_back(count + 1);
        optional_tensor_lists_.emplace_back(items, optional_tensors_.back().data(), argument.count);
        return Keep(EValue(&optional_tensor_lists_.back()));
      }
      case Kind::kString:
        texts_.emplace_back(argument.text, count);
        return Keep(EValue(&texts_.back()));
    }
    return nullptr;
  }

 private:
  // An output occurs twice, as an argument and as a result. Both are the same tensor.
  Tensor MakeTensor(TensorArgument& from) {
    TensorImpl*& made = made_[&from];
    if (made == nullptr) {
      const auto rank = static_cast<std::size_t>(from.rank);
      dim_orders_.emplace_back(from.dim_order, from.dim_order + rank);
      strides_.emplace_back(rank + 1);
      static_cast<void>(executorch::runtime::dim_order_to_stride(from.sizes, from.dim_order, rank,
                                                                 strides_.back().data()));
      made = &tensor_impls_.emplace_back(static_cast<ScalarType>(from.dtype), from.rank, from.sizes,
                                         nullptr, dim_orders_.back().data(), strides_.back().data(),
                                         static_cast<TensorShapeDynamism>(from.dynamism));
      made->set_data(copies_.emplace_back(from.data, made->nbytes(), fence_).data());
    }
    return Tensor(made);
  }

  EValue* Keep(EValue value) {
    values_.push_back(std::move(value));
    return &values_.back();
  }

  EValue** Pointers(std::size_t count) {
    pointers_.emplace_back(count + 1);
    return pointers_.back().data();
  }

  Fence fence_;
  std::deque<FencedCopy> copies_;
  std::map<TensorArgument*, TensorImpl*> made_;
  std::deque<std::vector<EValue*>> pointers_;
  std::deque<std::vector<std::int64_t>> integers_;
  std::deque<std::vector<Tensor>> tensors_;
  std::deque<std::vector<std::optional<Tensor>>> optional_tensors_;
  std::deque<BoxedEvalueList<std::int64_t>> int_lists_;
  std::deque<BoxedEvalueList<Tensor>> tensor_lists_;
  std::deque<BoxedEvalueList<std::optional<Tensor>>> optional_tensor_lists_;
  std::deque<executorch::aten::ArrayRef<double>> doubles_;
  std::deque<executorch::aten::ArrayRef<bool>> flags_;
  std::deque<executorch::aten::ArrayRef<char>> texts_;
  std::deque<std::vector<DimOrderType>> dim_orders_;
  std::deque<std::vector<StridesType>> strides_;
  std::deque<TensorImpl> tensor_impls_;
  std::deque<EValue> values_;
};

}  // namespace

// Returns the Error with which the kernel failed. `temp_bytes` is the memory of
// context.allocate_temp(); negative: there is no temp allocator.
extern "C" std::int32_t call_kernel(const char* operator_name, const Argument* arguments,
                                    std::int32_t count, std::int64_t temp_bytes, Fence fence) {
  const auto function = executorch::runtime::get_op_function_from_registry(operator_name);
  if (!function.ok()) return static_cast<std::int32_t>(function.error());
  Call call(fence);
  std::vector<EValue*> stack;
  for (std::int32_t i = 0; i < count; ++i) stack.push_back(call.Make(arguments[i]));
  const std::size_t size = temp_bytes < 0 ? 0 : static_cast<std::size_t>(temp_bytes);
  const std::unique_ptr<std::uint8_t[]> memory(new std::uint8_t[size]);
  MemoryAllocator temp(static_cast<std::uint32_t>(size), memory.get());
  KernelRuntimeContext context(nullptr, temp_bytes < 0 ? nullptr : &temp);
  (*function)(context, Span<EValue*>(stack.data(), stack.size()));
  call.WriteBack();
  return static_cast<std::int32_t>(context.failure_state());
}

extern "C" void pilotlight_register_operators(void);  // generated: operators.cpp

extern "C" void start_kernels() {
  executorch::runtime::runtime_init();
  pilotlight_register_operators();
}
