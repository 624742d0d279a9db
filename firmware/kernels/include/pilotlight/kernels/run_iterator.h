// SPDX-License-Identifier: Apache-2.0
//
// The loops of elementwise operators (elementwise.h): one nest over all operands and the output,
// cut into runs. All compute types share this code.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pilotlight/kernels/elementwise.h"

namespace pilotlight::kernels {

// The length of a run. This length is long enough to make the cost of the calls per run small, and
// short enough for the stack: 5 buffers of 32 elements of 8 bytes take 1,280 bytes.
inline constexpr std::size_t kRun = 32;

// Copy `count` elements and convert them to, or from, the compute type. `stride` is in elements.
using LoadFunction = void (*)(const std::byte* from, std::int32_t stride, std::size_t count,
                              void* to);
using StoreFunction = void (*)(const void* from, std::size_t count, std::byte* to,
                               std::int32_t stride);

// A compute type, as data.
struct ComputeType {
  ScalarType dtype;
  // Null if the image does not need the dtype.
  LoadFunction (*load_for)(ScalarType from, bool as_half);
  StoreFunction (*store_for)(ScalarType to);
  // Writes the number kRun times.
  void (*repeat)(const Operand& number, void* buffer);
};

// Compute() of elementwise.h, in the compute type `type`.
bool ComputeRuns(const ComputeType& type, KernelRuntimeContext& context, Function function,
                 ScalarType dtype, const Operands& operands, Tensor& out);

}  // namespace pilotlight::kernels
