// SPDX-License-Identifier: Apache-2.0
//
// Tensors that the probe gives to a method.
#pragma once

#include <executorch/runtime/core/evalue.h>

#include "arena.h"

namespace conformance {

// Like `like` in all but its elements, which are small numbers, or bytes of any value where those
// are numbers too. `rows` other than 0 is the size of its first dimension.
executorch::runtime::etensor::Tensor MakeTensor(Arena& arena,
                                                const executorch::runtime::etensor::Tensor& like,
                                                unsigned seed, std::int32_t rows = 0);

// The same bytes under another dtype, rank, shape or order of dimensions; null bytes for `no_data`.
struct Distortion {
  const char* name;
  void (*apply)(executorch::runtime::Span<std::int32_t>& sizes,
                executorch::runtime::Span<std::uint8_t>& order,
                executorch::runtime::etensor::ScalarType& dtype);
};
extern const executorch::runtime::Span<const Distortion> distortions;

executorch::runtime::etensor::Tensor Distort(Arena& arena,
                                             const executorch::runtime::etensor::Tensor& tensor,
                                             const Distortion& distortion);

}  // namespace conformance
