// SPDX-License-Identifier: Apache-2.0
//
// Sizes and dimensions from arguments that nothing has checked yet.
#pragma once

#include <cstddef>
#include <cstdint>

#include <executorch/runtime/kernel/kernel_includes.h>

namespace pilotlight::kernels {

using ::executorch::aten::ArrayRef;
using ::executorch::aten::SizesType;
using ::executorch::aten::Tensor;
using ::executorch::runtime::KernelRuntimeContext;

inline constexpr std::size_t kMaxRank = 16;  // kTensorDimensionLimit

// The sizes of a tensor that does not exist yet.
struct Shape {
  std::size_t rank = 0;
  SizesType sizes[kMaxRank] = {};

  // False if there is no room for another dimension, or if `size` is not a valid size.
  bool Append(std::int64_t size);
  ArrayRef<SizesType> Sizes() const { return {sizes, rank}; }
};

Shape ShapeOf(const Tensor& tensor);

// Counts `dim` from the front. False unless -rank <= dim < rank. A tensor with no dimensions takes
// 0 and -1, as in PyTorch.
bool NormaliseDim(std::int64_t dim, std::size_t rank, std::size_t& normalised);

// Broadcasts `shape` with the sizes of `tensor`, aligned at the last dimension. A size of 1 takes
// the other size. False if two sizes differ and neither is 1.
bool Broadcast(Shape& shape, const Tensor& tensor);

// Resize() gives `out` the shape. False if `out` cannot have this shape, or has no memory for the
// shape. HasData() is true if a tensor has memory or no elements.
bool Resize(const Shape& shape, Tensor& out);
bool HasData(const Tensor& tensor);

// Marks the call as failed, unless it has failed already. Always returns false.
bool Refuse(KernelRuntimeContext& context);

}  // namespace pilotlight::kernels
