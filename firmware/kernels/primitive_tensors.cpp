// SPDX-License-Identifier: Apache-2.0
//
// Shapes as numbers, a number from a tensor, and the two primitives that change tensors.
#include <algorithm>
#include <cstring>

#include <executorch/runtime/core/exec_aten/exec_aten.h>
#include <executorch/runtime/core/exec_aten/util/tensor_util.h>

#include "primitive_arguments.h"

namespace pilotlight::kernels {
namespace {

using executorch::aten::ArrayRef;
using executorch::aten::ScalarType;
using executorch::aten::Tensor;
using SizesType = executorch::aten::SizesType;
using executorch::runtime::kTensorDimensionLimit;

// Null if the argument is not a tensor; the call has then failed.
const Tensor* TensorAt(KernelRuntimeContext& context, Stack stack, std::size_t index) {
  if (stack[index]->isTensor()) return &stack[index]->toTensor();
  context.fail(Error::InvalidType);
  return nullptr;
}

bool HasMemory(const Tensor& tensor) {
  return tensor.const_data_ptr() != nullptr || tensor.nbytes() == 0;
}

Error Copy(const Tensor& to, const Tensor& from, std::int64_t index) {
  // The target has one more dimension than the source, the first. The other sizes are the same.
  if (index < 0 || to.dim() != from.dim() + 1 || to.scalar_type() != from.scalar_type()) {
    return Error::InvalidArgument;
  }
  SizesType sizes[kTensorDimensionLimit];
  for (ssize_t i = 0; i < from.dim(); ++i) {
    if (to.size(i + 1) != from.size(i)) return Error::InvalidArgument;
    sizes[i + 1] = from.sizes()[static_cast<std::size_t>(i)];
  }
  if (index >= INT32_MAX) return Error::InvalidState;
  sizes[0] = static_cast<SizesType>(index + 1);
  const ArrayRef<SizesType> grown(sizes, static_cast<std::size_t>(to.dim()));
  if (executorch::runtime::resize_tensor(to, grown) != Error::Ok) return Error::InvalidState;
  if (!HasMemory(to) || !HasMemory(from)) return Error::InvalidArgument;
  if (from.nbytes() == 0) return Error::Ok;
  auto* bytes = static_cast<std::uint8_t*>(to.mutable_data_ptr());
  std::memmove(bytes + static_cast<std::size_t>(index) * from.nbytes(), from.const_data_ptr(),
               from.nbytes());
  return Error::Ok;
}

// Copies `asked`. One size may be -1; it is replaced with the size that the other sizes leave.
Error InferSizes(ArrayRef<std::int64_t> asked, std::int64_t elements, SizesType* sizes) {
  std::int64_t known = 1;
  std::size_t inferred = asked.size();
  for (std::size_t i = 0; i < asked.size(); ++i) {
    if (asked[i] == -1 && inferred == asked.size()) {
      inferred = i;
      continue;
    }
    if (asked[i] < 0 || asked[i] > INT32_MAX) return Error::InvalidArgument;
    sizes[i] = static_cast<SizesType>(asked[i]);
    if (__builtin_mul_overflow(known, asked[i], &known)) return Error::InvalidArgument;
  }
  if (inferred == asked.size()) return Error::Ok;
  if (known == 0 || elements / known > INT32_MAX) return Error::InvalidArgument;
  sizes[inferred] = static_cast<SizesType>(elements / known);
  return Error::Ok;
}

Error MakeView(const Tensor& self, ArrayRef<std::int64_t> size, const Tensor& out) {
  if (size.size() != static_cast<std::size_t>(out.dim()) ||
      self.scalar_type() != out.scalar_type()) {
    return Error::InvalidArgument;
  }
  SizesType sizes[kTensorDimensionLimit];
  const Error error = InferSizes(size, self.numel(), sizes);
  if (error != Error::Ok) return error;
  SizesType before[kTensorDimensionLimit];
  std::copy(out.sizes().begin(), out.sizes().end(), before);
  if (executorch::runtime::resize_tensor(out, {sizes, size.size()}) != Error::Ok) {
    return Error::Internal;
  }
  if (out.numel() != self.numel()) {
    // `out` keeps its memory, so it must keep the shape that fits that memory.
    (void)executorch::runtime::resize_tensor(out, {before, size.size()});
    return Error::InvalidArgument;
  }
  out.unsafeGetTensorImpl()->set_data(self.mutable_data_ptr());
  return Error::Ok;
}

}  // namespace

void SizeOfDimension(KernelRuntimeContext& context, Stack stack) {
  if (!HasArguments(context, stack, 3)) return;
  const Tensor* tensor = TensorAt(context, stack, 0);
  if (tensor == nullptr) return;
  if (!stack[1]->isInt()) {
    context.fail(Error::InvalidType);
    return;
  }
  const std::int64_t dimension = stack[1]->toInt();
  if (dimension < 0 || dimension >= tensor->dim()) {
    context.fail(Error::InvalidArgument);
  } else {
    *stack[2] = EValue(std::int64_t{tensor->size(static_cast<ssize_t>(dimension))});
  }
}

void NumberOfElements(KernelRuntimeContext& context, Stack stack) {
  if (!HasArguments(context, stack, 2)) return;
  const Tensor* tensor = TensorAt(context, stack, 0);
  if (tensor != nullptr) *stack[1] = EValue(std::int64_t{tensor->numel()});
}

void FirstElement(KernelRuntimeContext& context, Stack stack) {
  if (!HasArguments(context, stack, 2)) return;
  const Tensor* tensor = TensorAt(context, stack, 0);
  if (tensor == nullptr) return;
  if (tensor->numel() < 1 || tensor->const_data_ptr() == nullptr) {
    context.fail(Error::InvalidArgument);
    return;
  }
  switch (tensor->scalar_type()) {
    case ScalarType::Byte:
      *stack[1] = EValue(std::int64_t{*tensor->const_data_ptr<std::uint8_t>()});
      break;
    case ScalarType::Char:
      *stack[1] = EValue(std::int64_t{*tensor->const_data_ptr<std::int8_t>()});
      break;
    case ScalarType::Short:
      *stack[1] = EValue(std::int64_t{*tensor->const_data_ptr<std::int16_t>()});
      break;
    case ScalarType::Int:
      *stack[1] = EValue(std::int64_t{*tensor->const_data_ptr<std::int32_t>()});
      break;
    case ScalarType::Long:
      *stack[1] = EValue(*tensor->const_data_ptr<std::int64_t>());
      break;
    case ScalarType::Float:
      *stack[1] = EValue(static_cast<double>(*tensor->const_data_ptr<float>()));
      break;
    case ScalarType::Double:
      *stack[1] = EValue(*tensor->const_data_ptr<double>());
      break;
    case ScalarType::Bool:
      *stack[1] = EValue(*static_cast<const std::uint8_t*>(tensor->const_data_ptr()) != 0);
      break;
    default:
      context.fail(Error::InvalidArgument);
  }
}

// Runs in each iteration of a loop: the target grows by one slice, as in a concatenation.
void CopyToIndex(KernelRuntimeContext& context, Stack stack) {
  if (!HasArguments(context, stack, 3)) return;
  const Tensor* to = TensorAt(context, stack, 0);
  const Tensor* from = TensorAt(context, stack, 1);
  if (to == nullptr || from == nullptr) return;
  if (!stack[2]->isInt()) {
    context.fail(Error::InvalidType);
    return;
  }
  const Error error = Copy(*to, *from, stack[2]->toInt());
  if (error != Error::Ok) context.fail(error);
}

// Gives the same memory another shape.
void ViewWithSizes(KernelRuntimeContext& context, Stack stack) {
  if (!HasArguments(context, stack, 3)) return;
  const Tensor* self = TensorAt(context, stack, 0);
  const Tensor* out = TensorAt(context, stack, 2);
  if (self == nullptr || out == nullptr) return;
  if (!stack[1]->isIntList()) {
    context.fail(Error::InvalidType);
    return;
  }
  const auto size = stack[1]->tryToIntList();
  const Error error = size.ok() ? MakeView(*self, *size, *out) : size.error();
  if (error != Error::Ok) context.fail(error);
}

}  // namespace pilotlight::kernels
