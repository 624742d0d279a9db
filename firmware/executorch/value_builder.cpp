// SPDX-License-Identifier: Apache-2.0
#include "value_builder.h"

#include <cstdint>
#include <new>
#include <optional>
#include <type_traits>

#include "refuse.h"

namespace executorch {
namespace runtime {
namespace {

using executorch_flatbuffer::KernelTypes;
using pilotlight::executorch_runtime::TableAt;

using OptionalTensor = std::optional<etensor::Tensor>;

}  // namespace

Error ValueBuilder::Build(std::size_t index) {
  const auto* value = TableAt(&schema_, index);
  EValue* out = values_ + index;
  switch (value->val_type()) {
    case KernelTypes::Null:
      new (out) EValue();
      return Error::Ok;
    case KernelTypes::Int:
      new (out) EValue(static_cast<int64_t>(value->val_as_Int()->int_val()));
      return Error::Ok;
    case KernelTypes::Bool:
      new (out) EValue(value->val_as_Bool()->bool_val());
      return Error::Ok;
    case KernelTypes::Double:
      new (out) EValue(value->val_as_Double()->double_val());
      return Error::Ok;
    case KernelTypes::Tensor:
      return BuildTensor(*value->val_as_Tensor(), out);
    case KernelTypes::String:
      return BuildString(value->val_as_String()->string_val(), out);
    case KernelTypes::DoubleList:
      return BuildPlainList<double>(value->val_as_DoubleList()->items(), out);
    case KernelTypes::BoolList:
      return BuildPlainList<bool>(value->val_as_BoolList()->items(), out);
    case KernelTypes::IntList:
      return BuildBoxedList<int64_t>(value->val_as_IntList()->items(), out);
    case KernelTypes::TensorList:
      return BuildBoxedList<etensor::Tensor>(value->val_as_TensorList()->items(), out);
    case KernelTypes::OptionalTensorList:
      return BuildBoxedList<OptionalTensor>(value->val_as_OptionalTensorList()->items(), out);
    default:
      return Error::InvalidProgram;
  }
}

Error ValueBuilder::BuildTensor(const executorch_flatbuffer::Tensor& tensor, EValue* out) {
  const Result<etensor::Tensor> built = tensors_->Parse(tensor);
  if (!built.ok()) return built.error();
  new (out) EValue(*built);
  return Error::Ok;
}

Error ValueBuilder::BuildString(const flatbuffers::String* text, EValue* out) {
  auto* view = pool_->allocateInstance<ArrayRef<char>>();
  if (view == nullptr) return Error::MemoryAllocationFailed;
  new (out) EValue(new (view) ArrayRef<char>(text->c_str(), text->size()));
  return Error::Ok;
}

// Builds lists whose items have the same form in the .pte as in a kernel. They are used in place.
template <typename T, typename Items>
Error ValueBuilder::BuildPlainList(const Items* items, EValue* out) {
  static_assert(sizeof(T) == sizeof(typename Items::return_type), "items are used in place");
  auto* view = pool_->allocateInstance<ArrayRef<T>>();
  if (view == nullptr) return Error::MemoryAllocationFailed;
  const auto* data = reinterpret_cast<const T*>(items->Data());
  new (out) EValue(new (view) ArrayRef<T>(data, items->size()));
  return Error::Ok;
}

// Builds lists whose items are indices of values. These values may change while the method runs. A
// negative index occurs only in lists of optional tensors, and means None.
template <typename T, typename Items>
Error ValueBuilder::BuildBoxedList(const Items* items, EValue* out) {
  const std::size_t count = items->size();
  auto** wrapped = pool_->allocateList<EValue*>(count);
  auto* unwrapped = pool_->allocateList<T>(count);
  auto* list = pool_->allocateInstance<BoxedEvalueList<T>>();
  if (wrapped == nullptr || unwrapped == nullptr || list == nullptr) {
    return Error::MemoryAllocationFailed;
  }
  for (std::size_t i = 0; i < count; ++i) {
    const std::int64_t item = items->Get(static_cast<flatbuffers::uoffset_t>(i));
    wrapped[i] = item < 0 ? nullptr : values_ + item;
    if constexpr (std::is_same_v<T, OptionalTensor>) new (&unwrapped[i]) OptionalTensor();
  }
  new (out) EValue(new (list) BoxedEvalueList<T>(wrapped, unwrapped, static_cast<int>(count)));
  return Error::Ok;
}

}  // namespace runtime
}  // namespace executorch
