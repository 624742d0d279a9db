// SPDX-License-Identifier: Apache-2.0
//
// MethodMeta: what a method takes, returns and needs, read directly from the .pte. Program::load()
// has checked that the plan's tables exist.
#include <executorch/runtime/executor/method_meta.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "program_schema.h"
#include "refuse.h"
#include "tensor_extent.h"

namespace executorch {
namespace runtime {
namespace {

using executorch_flatbuffer::KernelTypes;
using pilotlight::executorch_runtime::CountOf;
using pilotlight::executorch_runtime::ExtentOfTensor;
using pilotlight::executorch_runtime::InRange;
using pilotlight::executorch_runtime::TableAt;
using pilotlight::executorch_runtime::TensorExtent;

Result<const executorch_flatbuffer::EValue*> ValueOf(
    const executorch_flatbuffer::ExecutionPlan* plan, const flatbuffers::Vector<int32_t>* list,
    size_t index) {
  if (index >= CountOf(list)) {
    return PILOTLIGHT_REFUSE(Error::InvalidArgument, "Index %zu of %zu", index, CountOf(list));
  }
  const int32_t value_index = list->Get(static_cast<flatbuffers::uoffset_t>(index));
  if (!InRange(value_index, CountOf(plan->values()))) {
    return PILOTLIGHT_REFUSE(Error::InvalidProgram, "Value %d of %zu",
                             static_cast<int>(value_index), CountOf(plan->values()));
  }
  return TableAt(plan->values(), static_cast<size_t>(value_index));
}

Result<Tag> TagOf(const Result<const executorch_flatbuffer::EValue*>& value) {
  if (!value.ok()) return value.error();
  switch ((*value)->val_type()) {
    case KernelTypes::Null:
      return Tag::None;
    case KernelTypes::Int:
      return Tag::Int;
    case KernelTypes::Bool:
      return Tag::Bool;
    case KernelTypes::Double:
      return Tag::Double;
    case KernelTypes::String:
      return Tag::String;
    case KernelTypes::Tensor:
      return Tag::Tensor;
    default:
      return PILOTLIGHT_REFUSE(Error::Internal, "A value of type %d has no tag",
                               static_cast<int>((*value)->val_type()));
  }
}

Result<const executorch_flatbuffer::Tensor*> TensorOf(
    const Result<const executorch_flatbuffer::EValue*>& value) {
  const Result<Tag> tag = TagOf(value);
  if (!tag.ok()) return tag.error();
  const auto* tensor = (*value)->val_as_Tensor();
  if (tensor == nullptr) {
    return PILOTLIGHT_REFUSE(Error::InvalidArgument, "Not a tensor but a value of type %d",
                             static_cast<int>((*value)->val_type()));
  }
  if (tensor->sizes() == nullptr || tensor->dim_order() == nullptr) return Error::InvalidProgram;
  return tensor;
}

std::string_view NameOf(const executorch_flatbuffer::Tensor& tensor) {
  const auto* extra = tensor.extra_tensor_info();
  if (extra == nullptr || extra->fully_qualified_name() == nullptr) return "";
  return {extra->fully_qualified_name()->c_str(), extra->fully_qualified_name()->size()};
}

// An attribute is a tensor whose name the exporter has stored: a buffer that the method writes, or
// data outside the .pte.
const executorch_flatbuffer::Tensor* AsAttribute(const executorch_flatbuffer::EValue* value) {
  const auto* tensor = value->val_as_Tensor();
  return tensor == nullptr || NameOf(*tensor).empty() ? nullptr : tensor;
}

// The file counts planned buffers from 1, because entry 0 is reserved.
size_t PlannedCount(const executorch_flatbuffer::ExecutionPlan* plan) {
  const size_t count = CountOf(plan->non_const_buffer_sizes());
  return count > 0 ? count - 1 : 0;
}

}  // namespace

Result<TensorInfo> TensorInfo::create(Span<const int32_t> sizes, Span<const uint8_t> dim_order,
                                      executorch::aten::ScalarType scalar_type,
                                      const bool is_memory_planned, std::string_view name) {
  const Result<TensorExtent> extent = ExtentOfTensor(sizes.data(), sizes.size(), scalar_type);
  if (!extent.ok()) return Error::InvalidArgument;
  return TensorInfo(sizes, dim_order, scalar_type, is_memory_planned, name, extent->size_bytes);
}

TensorInfo::TensorInfo(Span<const int32_t> sizes, Span<const uint8_t> dim_order,
                       executorch::aten::ScalarType scalar_type, const bool is_memory_planned,
                       std::string_view name, size_t nbytes)
    : sizes_(sizes),
      dim_order_(dim_order),
      name_(name),
      scalar_type_(scalar_type),
      is_memory_planned_(is_memory_planned),
      nbytes_(nbytes) {}

Span<const int32_t> TensorInfo::sizes() const { return sizes_; }

Span<const uint8_t> TensorInfo::dim_order() const { return dim_order_; }

executorch::aten::ScalarType TensorInfo::scalar_type() const { return scalar_type_; }

bool TensorInfo::is_memory_planned() const { return is_memory_planned_; }

size_t TensorInfo::nbytes() const { return nbytes_; }

std::string_view TensorInfo::name() const { return name_; }

MethodMeta::MethodMeta(const executorch_flatbuffer::ExecutionPlan* s_plan) : s_plan_(s_plan) {}

const char* MethodMeta::name() const { return s_plan_->name()->c_str(); }

size_t MethodMeta::num_inputs() const { return CountOf(s_plan_->inputs()); }

Result<Tag> MethodMeta::input_tag(size_t index) const {
  return TagOf(ValueOf(s_plan_, s_plan_->inputs(), index));
}

Result<TensorInfo> MethodMeta::input_tensor_meta(size_t index) const {
  const auto tensor = TensorOf(ValueOf(s_plan_, s_plan_->inputs(), index));
  if (!tensor.ok()) return tensor.error();
  const executorch_flatbuffer::Tensor& t = **tensor;
  return TensorInfo::create({t.sizes()->data(), t.sizes()->size()},
                            {t.dim_order()->data(), t.dim_order()->size()},
                            static_cast<executorch::aten::ScalarType>(t.scalar_type()),
                            t.allocation_info() != nullptr || t.data_buffer_idx() != 0, "");
}

size_t MethodMeta::num_outputs() const { return CountOf(s_plan_->outputs()); }

Result<Tag> MethodMeta::output_tag(size_t index) const {
  return TagOf(ValueOf(s_plan_, s_plan_->outputs(), index));
}

Result<TensorInfo> MethodMeta::output_tensor_meta(size_t index) const {
  const auto tensor = TensorOf(ValueOf(s_plan_, s_plan_->outputs(), index));
  if (!tensor.ok()) return tensor.error();
  const executorch_flatbuffer::Tensor& t = **tensor;
  return TensorInfo::create({t.sizes()->data(), t.sizes()->size()},
                            {t.dim_order()->data(), t.dim_order()->size()},
                            static_cast<executorch::aten::ScalarType>(t.scalar_type()),
                            t.allocation_info() != nullptr || t.data_buffer_idx() != 0, "");
}

size_t MethodMeta::num_attributes() const {
  size_t count = 0;
  for (size_t i = 0; i < CountOf(s_plan_->values()); ++i) {
    if (AsAttribute(TableAt(s_plan_->values(), i)) != nullptr) ++count;
  }
  return count;
}

Result<TensorInfo> MethodMeta::attribute_tensor_meta(size_t index) const {
  size_t left = index;
  for (size_t i = 0; i < CountOf(s_plan_->values()); ++i) {
    const auto* tensor = AsAttribute(TableAt(s_plan_->values(), i));
    if (tensor == nullptr || left-- != 0) continue;
    if (tensor->sizes() == nullptr || tensor->dim_order() == nullptr) return Error::InvalidProgram;
    return TensorInfo::create(
        {tensor->sizes()->data(), tensor->sizes()->size()},
        {tensor->dim_order()->data(), tensor->dim_order()->size()},
        static_cast<executorch::aten::ScalarType>(tensor->scalar_type()),
        tensor->allocation_info() != nullptr || tensor->data_buffer_idx() != 0, NameOf(*tensor));
  }
  return PILOTLIGHT_REFUSE(Error::InvalidArgument, "Attribute %zu does not exist", index);
}

size_t MethodMeta::num_memory_planned_buffers() const { return PlannedCount(s_plan_); }

Result<int64_t> MethodMeta::memory_planned_buffer_size(size_t index) const {
  if (index >= PlannedCount(s_plan_)) {
    return PILOTLIGHT_REFUSE(Error::InvalidArgument, "Planned buffer %zu of %zu", index,
                             PlannedCount(s_plan_));
  }
  const int64_t size_bytes =
      s_plan_->non_const_buffer_sizes()->Get(static_cast<flatbuffers::uoffset_t>(index + 1));
  if (size_bytes < 0) {
    return PILOTLIGHT_REFUSE(Error::InvalidProgram, "Planned buffer %zu has a negative size",
                             index);
  }
  return size_bytes;
}

Result<etensor::Device> MethodMeta::memory_planned_buffer_device(size_t index) const {
  if (index >= PlannedCount(s_plan_)) return Error::InvalidArgument;
  const auto* devices = s_plan_->non_const_buffer_device();
  for (size_t i = 0; i < CountOf(devices); ++i) {
    const auto* device = TableAt(devices, i);
    // A negative buffer_idx becomes a very large number here, which matches no index.
    if (static_cast<size_t>(device->buffer_idx()) != index + 1) continue;
    return etensor::Device(static_cast<etensor::DeviceType>(device->device_type()),
                           device->device_index());
  }
  return etensor::Device(etensor::DeviceType::CPU);
}

bool MethodMeta::uses_backend(const char* backend_name) const {
  ET_CHECK_MSG(backend_name != nullptr, "No backend name");
  for (size_t i = 0; i < num_backends(); ++i) {
    const Result<const char*> name = get_backend_name(i);
    if (name.ok() && std::strcmp(*name, backend_name) == 0) return true;
  }
  return false;
}

size_t MethodMeta::num_backends() const { return CountOf(s_plan_->delegates()); }

Result<const char*> MethodMeta::get_backend_name(size_t index) const {
  const auto* delegate = TableAt(s_plan_->delegates(), index);
  if (delegate == nullptr) {
    return PILOTLIGHT_REFUSE(Error::InvalidArgument, "Backend %zu of %zu", index, num_backends());
  }
  if (delegate->id() == nullptr) return Error::InvalidProgram;
  return delegate->id()->c_str();
}

size_t MethodMeta::num_instructions() const {
  size_t count = 0;
  for (size_t i = 0; i < CountOf(s_plan_->chains()); ++i) {
    count += CountOf(TableAt(s_plan_->chains(), i)->instructions());
  }
  return count;
}

}  // namespace runtime
}  // namespace executorch
