// SPDX-License-Identifier: Apache-2.0
//
// max_pool2d_with_indices.out.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <tuple>

#include <executorch/runtime/kernel/kernel_includes.h>

#include "pilotlight/kernels/dtype.h"
#include "pilotlight/kernels/pooling.h"

namespace torch {
namespace executor {
namespace native {
namespace {

using namespace pilotlight::kernels;  // NOLINT(google-build-using-namespace)

template <typename T>
T Lowest() {
  using Limits = std::numeric_limits<T>;
  return Limits::has_infinity ? -Limits::infinity() : Limits::lowest();
}

// The first position of a window inside the input, and the end of its positions.
struct Span1d {
  ssize_t begin;
  ssize_t end;
};

Span1d Clip(ssize_t position, const Window& window, ssize_t size) {
  ssize_t begin = position * window.stride - window.padding;
  const ssize_t end = std::min(begin + (window.size - 1) * window.dilation + 1, size);
  if (begin < 0) begin += (-begin + window.dilation - 1) / window.dilation * window.dilation;
  return {begin, end};
}

template <typename T>
void Pool(const T* in, const Planes& from, const Window& vertical, const Window& horizontal, T* out,
          std::int64_t* indices, const Planes& to, const Planes& index_planes) {
  for (ssize_t y = 0; y < to.height; ++y) {
    const Span1d rows = Clip(y, vertical, from.height);
    for (ssize_t x = 0; x < to.width; ++x) {
      const Span1d columns = Clip(x, horizontal, from.width);
      // With dilation, all positions of a window may lie outside a small image.
      T largest = Lowest<T>();
      std::int64_t index = static_cast<std::int64_t>(rows.begin) * from.width + columns.begin;
      for (ssize_t r = rows.begin; r < rows.end; r += vertical.dilation) {
        for (ssize_t c = columns.begin; c < columns.end; c += horizontal.dilation) {
          const T value = in[r * from.row_stride + c * from.column_stride];
          if (value > largest || IsNotANumber(value)) {
            largest = value;
            index = static_cast<std::int64_t>(r) * from.width + c;
          }
        }
      }
      out[y * to.row_stride + x * to.column_stride] = largest;
      indices[y * index_planes.row_stride + x * index_planes.column_stride] = index;
    }
  }
}

}  // namespace

std::tuple<Tensor&, Tensor&> max_pool2d_with_indices_out(
    KernelRuntimeContext& context, const Tensor& self, ArrayRef<int64_t> kernel_size,
    ArrayRef<int64_t> stride, ArrayRef<int64_t> padding, ArrayRef<int64_t> dilation, bool ceil_mode,
    Tensor& out, Tensor& indices) {
  constexpr auto kDtypes = Selected("aten::max_pool2d_with_indices.out") & kNumbers;
  const std::tuple<Tensor&, Tensor&> results{out, indices};
  const auto vertical = WindowOf(0, kernel_size, stride, padding, dilation);
  const auto horizontal = WindowOf(1, kernel_size, stride, padding, dilation);
  if (!vertical || !horizontal || self.dim() < 3 || self.dim() > 4 || !HasData(self) ||
      out.scalar_type() != self.scalar_type() || indices.scalar_type() != ScalarType::Long ||
      !Contains(kDtypes, self.scalar_type()) || !tensors_have_same_dim_order(out, indices)) {
    Refuse(context);
    return results;
  }
  const Planes from = PlanesOf(self);
  const int64_t height = Positions(from.height, *vertical, ceil_mode);
  const int64_t width = Positions(from.width, *horizontal, ceil_mode);
  if (from.height == 0 || from.width == 0 || !ResizePlanes(self, height, width, out) ||
      !ResizePlanes(self, height, width, indices)) {
    Refuse(context);
    return results;
  }
  const Planes to = PlanesOf(out);
  const Planes index_planes = PlanesOf(indices);
  WithDtype<kDtypes>(self.scalar_type(), [&](auto type) {
    using T = decltype(type);
    ForEachPlane(from, to, [&](ssize_t in_offset, ssize_t out_offset) {
      Pool(self.const_data_ptr<T>() + in_offset, from, *vertical, *horizontal,
           out.mutable_data_ptr<T>() + out_offset,
           indices.mutable_data_ptr<std::int64_t>() + out_offset, to, index_planes);
    });
  });
  return results;
}

}  // namespace native
}  // namespace executor
}  // namespace torch
