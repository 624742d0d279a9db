// SPDX-License-Identifier: Apache-2.0
//
// The headers' functions for verification. Program::load() verifies every file in full. These
// functions verify a program without the file's segments.
#include <executorch/runtime/executor/program_validation.h>

#include <cstddef>
#include <cstdint>

#include "program_schema.h"
#include "program_verifier.h"
#include "tensor_extent.h"

namespace executorch {
namespace runtime {

Error validate_tensor(const executorch_flatbuffer::Tensor* tensor) {
  if (tensor == nullptr || tensor->sizes() == nullptr) return Error::InvalidProgram;
  return pilotlight::executorch_runtime::ExtentOfTensor(
             tensor->sizes()->data(), tensor->sizes()->size(),
             static_cast<etensor::ScalarType>(tensor->scalar_type()))
      .error();
}

Error validate_program(const executorch_flatbuffer::Program* program) {
  if (program == nullptr) return Error::InvalidProgram;
  return pilotlight::executorch_runtime::VerifyProgram(*program, {0, SIZE_MAX, SIZE_MAX});
}

}  // namespace runtime
}  // namespace executorch
