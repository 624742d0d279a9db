// SPDX-License-Identifier: Apache-2.0
//
// Scales and zero points that come as tensors, of the dtypes that exporters give them.
#pragma once

#include <cstdint>

#include <executorch/runtime/core/exec_aten/exec_aten.h>

namespace pilotlight::kernels {

// Element `i` of a tensor of floats or doubles; 0, which is no scale, of any other.
double ScaleAt(const ::executorch::aten::Tensor& scales, ssize_t i);

// Element `i` of a tensor of 32-bit or 64-bit integers; false for any other.
bool ZeroPointAt(const ::executorch::aten::Tensor& zero_points, ssize_t i,
                 std::int64_t& zero_point);

}  // namespace pilotlight::kernels
