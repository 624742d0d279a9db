// SPDX-License-Identifier: Apache-2.0
//
// Images and the windows that slide over them, as in PyTorch's pooling.
#pragma once

#include <cstdint>
#include <optional>

#include "pilotlight/kernels/shape.h"

namespace pilotlight::kernels {

// A tensor of shape (channels, height, width) or (batch, channels, height, width).
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

// Calls body(in offset, out offset) for the first element of each plane.
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

// Reads dimension `dim` (0: height, 1: width) of lists with two elements, or with one for both. An
// empty `stride` means the window's size. Returns nothing if PyTorch refuses the parameters: a
// length below 1, or padding of more than half a window.
std::optional<Window> WindowOf(std::size_t dim, ArrayRef<std::int64_t> size,
                               ArrayRef<std::int64_t> stride, ArrayRef<std::int64_t> padding,
                               ArrayRef<std::int64_t> dilation);

// The number of window positions over `in` elements; 0 or less if the window does not fit.
std::int64_t Positions(std::int64_t in, const Window& window, bool ceil_mode);

// Gives `out` the shape of `in` with planes of the given size. False if a plane would be empty.
bool ResizePlanes(const Tensor& in, std::int64_t height, std::int64_t width, Tensor& out);

}  // namespace pilotlight::kernels
