// SPDX-License-Identifier: Apache-2.0
//
// Whose memory a tensor of a program uses. Private to firmware/executorch.
#pragma once

#include <cstring>

#include "program_schema.h"

namespace pilotlight::executorch_runtime {

// True when its data lies outside the .pte, to be found by its name.
inline bool IsExternal(const executorch_flatbuffer::Tensor& tensor) {
  const auto* extra = tensor.extra_tensor_info();
  return extra != nullptr &&
         extra->location() == executorch_flatbuffer::TensorDataLocation::EXTERNAL;
}

// True when it is external and never written: loaded before any tensor is made.
inline bool IsExternalConstant(const executorch_flatbuffer::Tensor& tensor) {
  return IsExternal(tensor) && tensor.allocation_info() == nullptr;
}

// True when its data lie in the .pte or in external memory: nothing may write them.
inline bool IsConstant(const executorch_flatbuffer::Tensor& tensor) {
  return tensor.allocation_info() == nullptr &&
         (tensor.data_buffer_idx() != 0 || IsExternal(tensor));
}

// False when it is left to the caller or to an instruction to lend the tensor memory.
inline bool HasMemory(const executorch_flatbuffer::Tensor& tensor) {
  return tensor.allocation_info() != nullptr || tensor.data_buffer_idx() != 0 || IsExternal(tensor);
}

// True of the operator that gives its last argument the memory of its first.
inline bool IsLender(const executorch_flatbuffer::Operator& op) {
  return std::strcmp(op.name()->c_str(), "executorch_prim::et_view") == 0 &&
         op.overload() != nullptr && std::strcmp(op.overload()->c_str(), "default") == 0;
}

}  // namespace pilotlight::executorch_runtime
