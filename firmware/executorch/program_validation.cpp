// SPDX-License-Identifier: Apache-2.0
//
// What the FlatBuffers verifier cannot know: that shapes are possible, and that
// lists of tensors list tensors.
#include <executorch/runtime/executor/program_validation.h>

#include <cstddef>

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

Error ValidateTensorList(const executorch_flatbuffer::ExecutionPlan& plan,
                         const executorch_flatbuffer::TensorList* list) {
  if (list == nullptr || list->items() == nullptr) return Error::InvalidProgram;
  for (size_t i = 0; i < CountOf(list->items()); ++i) {
    const int32_t index = list->items()->Get(static_cast<flatbuffers::uoffset_t>(i));
    if (!InRange(index, CountOf(plan.values())) ||
        TableAt(plan.values(), static_cast<size_t>(index))->val_type() != KernelTypes::Tensor) {
      return PILOTLIGHT_REFUSE(Error::InvalidProgram, "Tensor list item %zu: value %d is no tensor",
                               i, static_cast<int>(index));
    }
  }
  return Error::Ok;
}

// The upper bound of an input that may be resized can be out of reach (a bound
// the exporter took from "any size"); what is passed in decides.
bool IsDynamicInput(const executorch_flatbuffer::ExecutionPlan& plan, size_t value_index,
                    const executorch_flatbuffer::Tensor* tensor) {
  if (tensor == nullptr ||
      tensor->shape_dynamism() == executorch_flatbuffer::TensorShapeDynamism::STATIC) {
    return false;
  }
  for (size_t i = 0; i < CountOf(plan.inputs()); ++i) {
    const int32_t input = plan.inputs()->Get(static_cast<flatbuffers::uoffset_t>(i));
    if (input >= 0 && static_cast<size_t>(input) == value_index) return true;
  }
  return false;
}

Error ValidatePlan(const executorch_flatbuffer::ExecutionPlan& plan) {
  if (plan.values() == nullptr) {
    return PILOTLIGHT_REFUSE(Error::InvalidProgram, "A method without values");
  }
  for (size_t i = 0; i < plan.values()->size(); ++i) {
    const auto* value = TableAt(plan.values(), i);
    if (value->val_type() == KernelTypes::Tensor) {
      const auto* tensor = value->val_as_Tensor();
      const Error error = validate_tensor(tensor);
      if (error != Error::Ok && !IsDynamicInput(plan, i, tensor)) return error;
    } else if (value->val_type() == KernelTypes::TensorList) {
      ET_CHECK_OK_OR_RETURN_ERROR(ValidateTensorList(plan, value->val_as_TensorList()));
    }
  }
  return Error::Ok;
}

}  // namespace

Error validate_tensor(const executorch_flatbuffer::Tensor* tensor) {
  if (tensor == nullptr || tensor->sizes() == nullptr) return Error::InvalidProgram;
  return ExtentOfTensor(tensor->sizes()->data(), tensor->sizes()->size(),
                        static_cast<etensor::ScalarType>(tensor->scalar_type()))
      .error();
}

Error validate_program(const executorch_flatbuffer::Program* program) {
  if (program == nullptr || program->execution_plan() == nullptr) return Error::InvalidProgram;
  for (size_t i = 0; i < program->execution_plan()->size(); ++i) {
    ET_CHECK_OK_OR_RETURN_ERROR(ValidatePlan(*TableAt(program->execution_plan(), i)));
  }
  return Error::Ok;
}

}  // namespace runtime
}  // namespace executorch
