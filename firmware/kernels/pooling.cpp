// SPDX-License-Identifier: Apache-2.0
#include "pilotlight/kernels/pooling.h"

namespace pilotlight::kernels {
namespace {

// With this limit, sums of a few parameters fit 32 bits.
constexpr std::int64_t kMaxParameter = 0x7fff;

// A list of another length gives -1, which is not a valid parameter.
std::int64_t At(ArrayRef<std::int64_t> list, std::size_t dim) {
  if (list.size() != 1 && list.size() != 2) return -1;
  return list[list.size() == 1 ? 0 : dim];
}

bool Within(std::int64_t value, std::int64_t least) {
  return value >= least && value <= kMaxParameter;
}

}  // namespace

Planes PlanesOf(const Tensor& tensor) {
  const auto rank = static_cast<std::size_t>(tensor.dim());
  const auto sizes = tensor.sizes();
  const auto strides = tensor.strides();
  const bool batched = rank == 4;
  return {batched ? sizes[0] : 1,   sizes[rank - 3],   sizes[rank - 2],   sizes[rank - 1],
          batched ? strides[0] : 0, strides[rank - 3], strides[rank - 2], strides[rank - 1]};
}

std::optional<Window> WindowOf(std::size_t dim, ArrayRef<std::int64_t> size,
                               ArrayRef<std::int64_t> stride, ArrayRef<std::int64_t> padding,
                               ArrayRef<std::int64_t> dilation) {
  const std::int64_t length = At(size, dim);
  const std::int64_t step = stride.empty() ? length : At(stride, dim);
  const std::int64_t pad = At(padding, dim);
  const std::int64_t spread = At(dilation, dim);
  if (!Within(length, 1) || !Within(step, 1) || !Within(pad, 0) || !Within(spread, 1)) {
    return std::nullopt;
  }
  if (pad > length / 2) return std::nullopt;
  return Window{static_cast<ssize_t>(length), static_cast<ssize_t>(step), static_cast<ssize_t>(pad),
                static_cast<ssize_t>(spread)};
}

std::int64_t Positions(std::int64_t in, const Window& window, bool ceil_mode) {
  const std::int64_t reach = static_cast<std::int64_t>(window.dilation) * (window.size - 1) + 1;
  const std::int64_t span = in + 2 * static_cast<std::int64_t>(window.padding) - reach;
  if (span < 0 && !(ceil_mode && span + window.stride > 0)) return 0;
  std::int64_t positions = (span + (ceil_mode ? window.stride - 1 : 0)) / window.stride + 1;
  // The last window must start inside the input or its left padding.
  if (ceil_mode && (positions - 1) * window.stride >= in + window.padding) --positions;
  return positions;
}

bool ResizePlanes(const Tensor& in, std::int64_t height, std::int64_t width, Tensor& out) {
  Shape shape = ShapeOf(in);
  if (shape.rank < 3 || shape.rank > 4 || height < 1 || width < 1) return false;
  shape.rank -= 2;
  return shape.Append(height) && shape.Append(width) && Resize(shape, out);
}

}  // namespace pilotlight::kernels
