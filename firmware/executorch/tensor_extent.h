// SPDX-License-Identifier: Apache-2.0
//
// How many elements and bytes a shape has. Overflow is detected. Every shape from a file is checked
// here. Private to firmware/executorch.
#pragma once

#include <cstddef>
#include <cstdint>

#include <executorch/runtime/core/exec_aten/exec_aten.h>
#include <executorch/runtime/core/result.h>

#include "refuse.h"

namespace pilotlight::executorch_runtime {

struct TensorExtent {
  std::size_t element_size;  // In bytes.
  std::size_t size_bytes;
};

// InvalidProgram  a size is negative, the number of bytes does not fit ssize_t, or the scalar type
//                 is unknown.
executorch::runtime::Result<TensorExtent> ExtentOfTensor(
    const std::int32_t* sizes, std::size_t rank, executorch::aten::ScalarType scalar_type,
    const Place& place = {nullptr, "shape", 0});

}  // namespace pilotlight::executorch_runtime
