// SPDX-License-Identifier: Apache-2.0
//
// Tensors that the probe passes to a method.
#pragma once

#include <executorch/runtime/core/evalue.h>

#include "arena.h"

namespace conformance {

// A tensor like `like`, with other elements: small numbers, or bytes of any value if every byte is
// a valid number. If `rows` is not 0, the first dimension has this size.
executorch::runtime::etensor::Tensor MakeTensor(Arena& arena,
                                                const executorch::runtime::etensor::Tensor& like,
                                                unsigned seed, std::int32_t rows = 0);

// The same bytes with another dtype, rank, shape or dim order. `no_data` means a null pointer.
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
