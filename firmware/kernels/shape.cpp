// SPDX-License-Identifier: Apache-2.0
#include "pilotlight/kernels/shape.h"

#include <algorithm>
#include <limits>

namespace pilotlight::kernels {

using ::executorch::runtime::Error;

bool Shape::Append(std::int64_t size) {
  if (rank == kMaxRank || size < 0 || size > std::numeric_limits<SizesType>::max()) return false;
  sizes[rank++] = static_cast<SizesType>(size);
  return true;
}

Shape ShapeOf(const Tensor& tensor) {
  Shape shape;
  for (const SizesType size : tensor.sizes()) {
    if (!shape.Append(size)) break;  // The loader refuses a higher rank.
  }
  return shape;
}

bool NormaliseDim(std::int64_t dim, std::size_t rank, std::size_t& normalised) {
  const auto count = static_cast<std::int64_t>(std::max<std::size_t>(rank, 1));
  if (dim < -count || dim >= count) return false;
  normalised = static_cast<std::size_t>(dim < 0 ? dim + count : dim);
  return true;
}

bool Broadcast(Shape& shape, const Tensor& tensor) {
  const auto rank = static_cast<std::size_t>(tensor.dim());
  if (rank > kMaxRank) return false;
  if (rank > shape.rank) {
    const std::size_t added = rank - shape.rank;
    std::copy_backward(shape.sizes, shape.sizes + shape.rank, shape.sizes + rank);
    std::fill(shape.sizes, shape.sizes + added, 1);
    shape.rank = rank;
  }
  for (std::size_t d = 0; d < rank; ++d) {
    SizesType& size = shape.sizes[shape.rank - rank + d];
    const SizesType other = tensor.sizes()[d];
    if (size == 1) {
      size = other;
    } else if (other != 1 && other != size) {
      return false;
    }
  }
  return true;
}

bool HasData(const Tensor& tensor) {
  return tensor.numel() == 0 || tensor.const_data_ptr() != nullptr;
}

bool Resize(const Shape& shape, Tensor& out) {
  return ::executorch::runtime::resize_tensor(out, shape.Sizes()) == Error::Ok && HasData(out);
}

bool Refuse(KernelRuntimeContext& context) {
  if (context.failure_state() == Error::Ok) context.fail(Error::InvalidArgument);
  return false;
}

}  // namespace pilotlight::kernels
