// SPDX-License-Identifier: Apache-2.0
//
// Images and the windows that slide over them, as PyTorch's pooling defines them.
#pragma once

#include <cstdint>
#include <optional>

#include "pilotlight/kernels/shape.h"

namespace pilotlight::kernels {

// A tensor of the shape (channels, height, width) or (batch, channels, height, width).
struct Planes {
  ssize_t batch;
  ssize_t channels;
  ssize_t height;
  ssize_t width;
  ssize_t batch_stride;
  ssize_t channel_stride;
  ssize_t row_stride;
  ssize_t column_stride;
};

// Precondition: rank 3 or 4.
Planes PlanesOf(const Tensor& tensor);

// Calls body(in offset, out offset) for the first element of every plane.
template <typename Body>
void ForEachPlane(const Planes& in, const Planes& out, Body body) {
  for (ssize_t n = 0; n < in.batch; ++n) {
    for (ssize_t c = 0; c < in.channels; ++c) {
      body(n * in.batch_stride + c * in.channel_stride,
           n * out.batch_stride + c * out.channel_stride);
    }
  }
}

// A window along one dimension.
struct Window {
  ssize_t size = 1;
  ssize_t stride = 1;
  ssize_t padding = 0;
  ssize_t dilation = 1;
};

// Reads dimension `dim` (0 height, 1 width) of lists that have two elements or one for both; an
// empty `stride` is the window's size. Nothing for what PyTorch refuses: no length, padding of more
// than half a window.
std::optional<Window> WindowOf(std::size_t dim, ArrayRef<std::int64_t> size,
                               ArrayRef<std::int64_t> stride, ArrayRef<std::int64_t> padding,
                               ArrayRef<std::int64_t> dilation);

// Positions of the window over `in` elements; 0 or less when it does not fit.
std::int64_t Positions(std::int64_t in, const Window& window, bool ceil_mode);

// Gives `out` the shape of `in` with other planes; false when one of them is empty.
bool ResizePlanes(const Tensor& in, std::int64_t height, std::int64_t width, Tensor& out);

}  // namespace pilotlight::kernels
