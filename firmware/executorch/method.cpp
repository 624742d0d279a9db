// SPDX-License-Identifier: Apache-2.0
//
// Method: inputs, outputs and attributes.
#include <executorch/runtime/executor/method.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <executorch/runtime/core/exec_aten/util/tensor_util.h>
#include <executorch/runtime/executor/program.h>

#include "program_schema.h"
#include "refuse.h"
#include "tensor_bound.h"

namespace executorch {
namespace runtime {
namespace {

using pilotlight::executorch_runtime::CountOf;
using pilotlight::executorch_runtime::LargestNumel;
using pilotlight::executorch_runtime::LendBuffer;
using pilotlight::executorch_runtime::LendTensor;
using pilotlight::executorch_runtime::TableAt;

// The tensor as the .pte stores it. The stored form says whose memory the tensor uses.
const executorch_flatbuffer::Tensor& StoredTensor(const executorch_flatbuffer::ExecutionPlan& plan,
                                                  size_t value_index) {
  return *TableAt(plan.values(), value_index)->val_as_Tensor();
}

Error SetTensor(const etensor::Tensor& own, const etensor::Tensor& given,
                const executorch_flatbuffer::Tensor& stored) {
  if (own.scalar_type() != given.scalar_type()) {
    return PILOTLIGHT_REFUSE(Error::InvalidArgument, "Input has dtype %d, expected %d",
                             static_cast<int>(given.scalar_type()),
                             static_cast<int>(own.scalar_type()));
  }
  if (stored.allocation_info() == nullptr) return LendTensor(own, given, LargestNumel(stored));
  ET_CHECK_OK_OR_RETURN_ERROR(resize_tensor(own, given.sizes()));
  return internal::copy_tensor_data(own, given);
}

// The exporter compiles scalar inputs into the program, so the given value must be the same.
bool SameScalar(const EValue& own, const EValue& given) {
  switch (own.tag) {
    case Tag::None:
      return true;
    case Tag::Int:
      return own.toInt() == given.toInt();
    case Tag::Bool:
      return own.toBool() == given.toBool();
    case Tag::Double:
      return own.toDouble() == given.toDouble();
    case Tag::String:
      return own.toString() == given.toString();
    default:
      return false;
  }
}

}  // namespace

Error Method::set_input(const EValue& input_evalue, size_t input_idx) {
  if (!initialized()) {
    return PILOTLIGHT_REFUSE(Error::InvalidState, "Method is not initialized");
  }
  if (in_progress()) {
    return PILOTLIGHT_REFUSE(Error::InvalidState, "Method is in the middle of step() calls");
  }
  if (input_idx >= inputs_size()) {
    return PILOTLIGHT_REFUSE(Error::InvalidArgument, "Input %zu of %zu", input_idx, inputs_size());
  }
  const size_t value_index = get_input_index(input_idx);
  EValue& own = values_[value_index];
  if (own.tag != input_evalue.tag) {
    return PILOTLIGHT_REFUSE(Error::InvalidArgument, "Input %zu has tag %u, expected %u", input_idx,
                             static_cast<unsigned>(input_evalue.tag),
                             static_cast<unsigned>(own.tag));
  }
  if (own.isTensor()) {
    const auto& stored = StoredTensor(*serialization_plan_, value_index);
    if (stored.allocation_info() == nullptr && stored.data_buffer_idx() != 0) {
      return PILOTLIGHT_REFUSE(Error::InvalidArgument, "Input %zu is a constant of the program",
                               input_idx);
    }
    ET_CHECK_OK_OR_RETURN_ERROR(SetTensor(own.toTensor(), input_evalue.toTensor(), stored));
  } else if (!SameScalar(own, input_evalue)) {
    return PILOTLIGHT_REFUSE(Error::InvalidArgument,
                             "Input %zu differs from the value compiled into the program",
                             input_idx);
  }
  input_set_[input_idx] = true;
  return Error::Ok;
}

Error Method::set_inputs(const executorch::aten::ArrayRef<EValue>& input_evalues) {
  if (input_evalues.size() != inputs_size()) {
    return PILOTLIGHT_REFUSE(Error::InvalidArgument, "%zu inputs given, expected %zu",
                             input_evalues.size(), inputs_size());
  }
  for (size_t i = 0; i < input_evalues.size(); ++i) {
    ET_CHECK_OK_OR_RETURN_ERROR(set_input(input_evalues[i], i));
  }
  return Error::Ok;
}

Error Method::set_output_data_ptr(void* buffer, size_t size, size_t output_idx) {
  if (!initialized()) {
    return PILOTLIGHT_REFUSE(Error::InvalidState, "Method is not initialized");
  }
  if (output_idx >= outputs_size()) {
    return PILOTLIGHT_REFUSE(Error::InvalidArgument, "Output %zu of %zu", output_idx,
                             outputs_size());
  }
  const size_t value_index = get_output_index(output_idx);
  EValue& own = values_[value_index];
  if (!own.isTensor()) {
    return PILOTLIGHT_REFUSE(Error::InvalidArgument, "Output %zu is not a tensor", output_idx);
  }
  const auto& stored = StoredTensor(*serialization_plan_, value_index);
  if (stored.allocation_info() != nullptr || stored.data_buffer_idx() != 0) {
    return PILOTLIGHT_REFUSE(Error::InvalidState, "Output %zu has its own memory", output_idx);
  }
  return LendBuffer(own.toTensor(), buffer, size, LargestNumel(stored));
}

Error Method::get_outputs(EValue* output_evalues, size_t length) {
  if (!initialized()) {
    return PILOTLIGHT_REFUSE(Error::InvalidState, "Method is not initialized");
  }
  if (length < outputs_size()) {
    return PILOTLIGHT_REFUSE(Error::InvalidArgument, "Room for %zu outputs of %zu", length,
                             outputs_size());
  }
  for (size_t i = 0; i < length; ++i) {
    output_evalues[i] = i < outputs_size() ? get_output(i) : EValue();
  }
  return Error::Ok;
}

Error Method::get_inputs(EValue* input_evalues, size_t length) {
  if (!initialized()) {
    return PILOTLIGHT_REFUSE(Error::InvalidState, "Method is not initialized");
  }
  if (length < inputs_size()) {
    return PILOTLIGHT_REFUSE(Error::InvalidArgument, "Room for %zu inputs of %zu", length,
                             inputs_size());
  }
  for (size_t i = 0; i < length; ++i) {
    input_evalues[i] = i < inputs_size() ? get_value(get_input_index(i)) : EValue();
  }
  return Error::Ok;
}

Result<executorch::aten::Tensor> Method::get_attribute(std::string_view name) {
  for (size_t i = 0; i < n_value_; ++i) {
    if (!values_[i].isTensor()) continue;
    const auto* stored = TableAt(serialization_plan_->values(), i)->val_as_Tensor();
    if (stored == nullptr) continue;
    const auto* extra = stored->extra_tensor_info();
    if (extra == nullptr || extra->fully_qualified_name() == nullptr) continue;
    if (extra->fully_qualified_name()->c_str() == name) return values_[i].toTensor();
  }
  return PILOTLIGHT_REFUSE(Error::NotFound, "No attribute %.*s", static_cast<int>(name.size()),
                           name.data());
}

MethodMeta Method::method_meta() const {
  Result<MethodMeta> meta = program_->method_meta(serialization_plan_->name()->c_str());
  ET_CHECK_MSG(meta.ok(), "A loaded method has no metadata");
  return *meta;
}

size_t Method::inputs_size() const { return CountOf(serialization_plan_->inputs()); }

size_t Method::outputs_size() const { return CountOf(serialization_plan_->outputs()); }

size_t Method::get_input_index(size_t i) const {
  ET_CHECK_MSG(i < inputs_size(), "Input %zu of %zu", i, inputs_size());
  return static_cast<size_t>(
      serialization_plan_->inputs()->Get(static_cast<flatbuffers::uoffset_t>(i)));
}

size_t Method::get_output_index(size_t i) const {
  ET_CHECK_MSG(i < outputs_size(), "Output %zu of %zu", i, outputs_size());
  return static_cast<size_t>(
      serialization_plan_->outputs()->Get(static_cast<flatbuffers::uoffset_t>(i)));
}

const EValue& Method::get_value(size_t i) const {
  ET_CHECK_MSG(i < n_value_, "Value %zu of %zu", i, n_value_);
  return values_[i];
}

EValue& Method::mutable_value(size_t i) {
  ET_CHECK_MSG(i < n_value_, "Value %zu of %zu", i, n_value_);
  return values_[i];
}

const EValue& Method::get_input(size_t i) const { return get_value(get_input_index(i)); }

// The caller takes the reference to fill the input, so the input counts as set. The wheel's runtime
// also executes afterwards without set_input().
EValue& Method::mutable_input(size_t i) {
  EValue& input = mutable_value(get_input_index(i));
  input_set_[i] = true;
  return input;
}

const EValue& Method::get_output(size_t i) const { return get_value(get_output_index(i)); }

EValue& Method::mutable_output(size_t i) { return mutable_value(get_output_index(i)); }

EventTracer* Method::get_event_tracer() { return event_tracer_; }

}  // namespace runtime
}  // namespace executorch
