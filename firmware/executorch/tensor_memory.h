// SPDX-License-Identifier: Apache-2.0
//
// Whose memory a tensor of a program uses. Private to firmware/executorch.
#pragma once

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

// False when it is left to the caller or to an instruction to lend the tensor memory.
inline bool HasMemory(const executorch_flatbuffer::Tensor& tensor) {
  return tensor.allocation_info() != nullptr || tensor.data_buffer_idx() != 0 || IsExternal(tensor);
}

}  // namespace pilotlight::executorch_runtime
