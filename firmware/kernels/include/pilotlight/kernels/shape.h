// SPDX-License-Identifier: Apache-2.0
//
// Sizes and dimensions, as kernels take them from arguments that no one has checked.
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

  // False when there is no room for another dimension, or it is no size.
  bool Append(std::int64_t size);
  ArrayRef<SizesType> Sizes() const { return {sizes, rank}; }
};

Shape ShapeOf(const Tensor& tensor);

// Counts `dim` from the front; false unless -rank <= dim < rank. A tensor without
// dimensions takes 0 and -1, as PyTorch has it.
bool NormaliseDim(std::int64_t dim, std::size_t rank, std::size_t& normalised);

// Widens `shape` by the sizes of `tensor`, aligned at the last dimension: equal sizes stay,
// 1 gives way. False when sizes disagree.
bool Broadcast(Shape& shape, const Tensor& tensor);

// Gives `out` the shape, if it lets itself be resized to it, and checks that each tensor has
// memory.
bool Resize(const Shape& shape, Tensor& out);
bool HasData(const Tensor& tensor);

// Marks the call as failed, unless it is already. Returns false.
bool Refuse(KernelRuntimeContext& context);

}  // namespace pilotlight::kernels
