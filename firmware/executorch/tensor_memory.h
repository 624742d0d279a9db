// SPDX-License-Identifier: Apache-2.0
//
// Whose memory a tensor of a program uses. Private to firmware/executorch.
#pragma once

#include <cstring>

#include "program_schema.h"

namespace pilotlight::executorch_runtime {

// True if the tensor's data lies outside the .pte and is found by name.
inline bool IsExternal(const executorch_flatbuffer::Tensor& tensor) {
  const auto* extra = tensor.extra_tensor_info();
  return extra != nullptr &&
         extra->location() == executorch_flatbuffer::TensorDataLocation::EXTERNAL;
}

// True if the tensor is external and never written. Such data is loaded before any tensor is built.
inline bool IsExternalConstant(const executorch_flatbuffer::Tensor& tensor) {
  return IsExternal(tensor) && tensor.allocation_info() == nullptr;
}

// True if the tensor's data lies in the .pte or in external memory and must not be written.
inline bool IsConstant(const executorch_flatbuffer::Tensor& tensor) {
  return tensor.allocation_info() == nullptr &&
         (tensor.data_buffer_idx() != 0 || IsExternal(tensor));
}

// False if the caller or an instruction must lend the tensor its memory.
inline bool HasMemory(const executorch_flatbuffer::Tensor& tensor) {
  return tensor.allocation_info() != nullptr || tensor.data_buffer_idx() != 0 || IsExternal(tensor);
}

// True for et_view, the operator that gives its last argument the memory of its first.
inline bool IsLender(const executorch_flatbuffer::Operator& op) {
  return std::strcmp(op.name()->c_str(), "executorch_prim::et_view") == 0 &&
         op.overload() != nullptr && std::strcmp(op.overload()->c_str(), "default") == 0;
}

}  // namespace pilotlight::executorch_runtime
