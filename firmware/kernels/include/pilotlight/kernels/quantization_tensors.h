// SPDX-License-Identifier: Apache-2.0
//
// The dtypes of quantised tensors. Reads scales and zero points from tensors, in each dtype that
// exporters use for them.
#pragma once

#include <cstdint>

#include <executorch/runtime/core/exec_aten/exec_aten.h>

#include "pilotlight/kernels/selection.h"

namespace pilotlight::kernels {

inline constexpr DtypeSet kQuantised =
    SetOf(ScalarType::Byte, ScalarType::Char, ScalarType::Short, ScalarType::Int);

// Element `i` of a tensor of floats or doubles. For any other dtype 0, which is not a valid scale.
double ScaleAt(const ::executorch::aten::Tensor& scales, ssize_t i);

// Element `i` of a tensor of 32-bit or 64-bit integers; false for any other.
bool ZeroPointAt(const ::executorch::aten::Tensor& zero_points, ssize_t i,
                 std::int64_t& zero_point);

}  // namespace pilotlight::kernels
