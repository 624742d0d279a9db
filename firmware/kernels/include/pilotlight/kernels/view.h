// SPDX-License-Identifier: Apache-2.0
//
// A tensor's memory as a nest of loops, and the copy from one nest to another. Every operator that
// moves elements only changes a view: it permutes the loops, repeats with a stride of 0, flips with
// a negative stride, or slices with an offset.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pilotlight/kernels/shape.h"

namespace pilotlight::kernels {

// repeat() on 16 dimensions needs two loops for each of them.
inline constexpr std::size_t kMaxLoops = 2 * kMaxRank;

struct View {
  // The first element. A view of an input is only read.
  std::byte* data = nullptr;
  std::size_t element_bytes = 0;
  std::size_t rank = 0;
  SizesType sizes[kMaxLoops] = {};
  std::int32_t strides[kMaxLoops] = {};  // In elements.

  // Adds an innermost loop. Precondition: there is room (kMaxLoops).
  void Append(SizesType size, std::int32_t stride);
  // Limits loop `dim` to `count` indices, from `start` on, `step` apart.
  void Slice(std::size_t dim, std::int64_t start, std::int64_t step, SizesType count);
  // Removes loop `dim`, at `index`.
  void Select(std::size_t dim, std::int64_t index);
};

// Loops in the order of the tensor's dimensions. The strides follow its dim order.
View ViewOf(const Tensor& tensor);

// The same with the dimensions of `shape`; `tensor` is repeated along them. Precondition:
// Broadcast(shape, tensor).
View BroadcastView(const Tensor& tensor, const Shape& shape);

// Copies element by element. Precondition: same sizes, same element_bytes, no overlap. The same
// memory in the same order is allowed.
void Copy(const View& from, const View& to);

// Writes the element at `value` to every position of `to`.
void Fill(const void* value, const View& to);

}  // namespace pilotlight::kernels
