// SPDX-License-Identifier: Apache-2.0
//
// A tensor's memory as a nest of loops, and the copy from one nest to another. All
// operators that move elements are changes to a view: permuting its loops, a stride
// of 0 to repeat, a negative one to flip, an offset to slice.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pilotlight/kernels/shape.h"

namespace pilotlight::kernels {

// Repeating a tensor of 16 dimensions takes two loops for each of them.
inline constexpr std::size_t kMaxLoops = 2 * kMaxRank;

struct View {
  std::byte* data = nullptr;  // Of the first element; a view of an input is only read.
  std::size_t element_bytes = 0;
  std::size_t rank = 0;
  SizesType sizes[kMaxLoops] = {};
  std::int32_t strides[kMaxLoops] = {};  // In elements.

  // Adds a loop inside of the others. Precondition: there is room (kMaxLoops).
  void Append(SizesType size, std::int32_t stride);
  // Leaves `count` indices of loop `dim`, from `start`, `step` apart.
  void Slice(std::size_t dim, std::int64_t start, std::int64_t step, SizesType count);
  // Takes loop `dim` out, at `index`.
  void Select(std::size_t dim, std::int64_t index);
};

// In the order of the tensor's dimensions; strides follow its dim order.
View ViewOf(const Tensor& tensor);

// The same, with the dimensions of `shape`, along which `tensor` is repeated.
// Precondition: Broadcast(shape, tensor).
View BroadcastView(const Tensor& tensor, const Shape& shape);

// Copies element by element. Precondition: same sizes, same element_bytes, no overlap
// (the same memory in the same order is allowed).
void Copy(const View& from, const View& to);

// Writes the element at `value` to every place of `to`.
void Fill(const void* value, const View& to);

}  // namespace pilotlight::kernels
