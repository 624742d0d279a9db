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
using pilotlight::executorch_runtime::InRange;
using pilotlight::executorch_runtime::TableAt;

using OptionalTensor = std::optional<etensor::Tensor>;

// How the exporter writes None in a list of optional tensors.
constexpr std::int64_t kNoneItem = -1;

}  // namespace

Error ValueBuilder::Build(std::size_t index) {
  const auto* value = TableAt(&schema_, index);
  if (value->val_type() != KernelTypes::Null && value->val() == nullptr) {
    return PILOTLIGHT_REFUSE(Error::InvalidProgram, "Value %zu has a type and no content", index);
  }
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
      return BuildBoxedList<int64_t>(value->val_as_IntList()->items(), index, out);
    case KernelTypes::TensorList:
      return BuildBoxedList<etensor::Tensor>(value->val_as_TensorList()->items(), index, out);
    case KernelTypes::OptionalTensorList:
      return BuildBoxedList<OptionalTensor>(value->val_as_OptionalTensorList()->items(), index,
                                            out);
    default:
      return PILOTLIGHT_REFUSE(Error::InvalidProgram, "Value %zu is of unknown type %d", index,
                               static_cast<int>(value->val_type()));
  }
}

Error ValueBuilder::BuildTensor(const executorch_flatbuffer::Tensor& tensor, EValue* out) {
  const Result<etensor::Tensor> built = tensors_->Parse(tensor);
  if (!built.ok()) return built.error();
  new (out) EValue(*built);
  return Error::Ok;
}

Error ValueBuilder::BuildString(const flatbuffers::String* text, EValue* out) {
  if (text == nullptr) return Error::InvalidProgram;
  auto* view = pool_->allocateInstance<ArrayRef<char>>();
  if (view == nullptr) return Error::MemoryAllocationFailed;
  new (out) EValue(new (view) ArrayRef<char>(text->c_str(), text->size()));
  return Error::Ok;
}

// Items that lie in the .pte just as a kernel reads them.
template <typename T, typename Items>
Error ValueBuilder::BuildPlainList(const Items* items, EValue* out) {
  if (items == nullptr) return Error::InvalidProgram;
  if constexpr (std::is_same_v<T, bool>) {
    for (flatbuffers::uoffset_t i = 0; i < items->size(); ++i) {
      if (items->Get(i) > 1) return Error::InvalidProgram;  // No value of a C++ bool.
    }
  }
  static_assert(sizeof(T) == sizeof(typename Items::return_type), "items are used in place");
  auto* view = pool_->allocateInstance<ArrayRef<T>>();
  if (view == nullptr) return Error::MemoryAllocationFailed;
  const auto* data = reinterpret_cast<const T*>(items->Data());
  new (out) EValue(new (view) ArrayRef<T>(data, items->size()));
  return Error::Ok;
}

// Items that are indices of values, which may change while the method runs.
template <typename T, typename Items>
Error ValueBuilder::BuildBoxedList(const Items* items, std::size_t index, EValue* out) {
  if (items == nullptr) return Error::InvalidProgram;
  const std::size_t count = items->size();
  auto** wrapped = pool_->allocateList<EValue*>(count);
  auto* unwrapped = pool_->allocateList<T>(count);
  auto* list = pool_->allocateInstance<BoxedEvalueList<T>>();
  if (wrapped == nullptr || unwrapped == nullptr || list == nullptr) {
    return Error::MemoryAllocationFailed;
  }
  for (std::size_t i = 0; i < count; ++i) {
    const std::int64_t item = items->Get(static_cast<flatbuffers::uoffset_t>(i));
    if constexpr (std::is_same_v<T, OptionalTensor>) {
      new (&unwrapped[i]) OptionalTensor();
      if (item == kNoneItem) {
        wrapped[i] = nullptr;
        continue;
      }
    }
    if (!InRange(item, schema_.size())) {
      return PILOTLIGHT_REFUSE(Error::InvalidProgram, "List item %zu: value %d of %zu", i,
                               static_cast<int>(item), static_cast<std::size_t>(schema_.size()));
    }
    if (!CanHold<T>(static_cast<std::size_t>(item), index)) {
      return PILOTLIGHT_REFUSE(Error::InvalidType, "List item %zu: value %d is of another type", i,
                               static_cast<int>(item));
    }
    wrapped[i] = values_ + item;
  }
  new (out) EValue(new (list) BoxedEvalueList<T>(wrapped, unwrapped, static_cast<int>(count)));
  return Error::Ok;
}

// Tensors have to come before the lists that name them, as the exporter writes them.
template <typename T>
bool ValueBuilder::CanHold(std::size_t item, std::size_t list) const {
  const KernelTypes type = TableAt(&schema_, item)->val_type();
  if (std::is_same_v<T, std::int64_t>) return type == KernelTypes::Int;
  const bool may_be_none = std::is_same_v<T, OptionalTensor> && type == KernelTypes::Null;
  return item < list && (type == KernelTypes::Tensor || may_be_none);
}

}  // namespace runtime
}  // namespace executorch
