// SPDX-License-Identifier: Apache-2.0
//
// avg_pool2d.out, _adaptive_avg_pool2d.out.
#include <algorithm>
#include <cstdint>
#include <optional>
#include <type_traits>

#include <executorch/runtime/kernel/kernel_includes.h>

#include "pilotlight/kernels/dtype.h"
#include "pilotlight/kernels/pooling.h"

namespace torch {
namespace executor {
namespace native {
namespace {

using namespace pilotlight::kernels;  // NOLINT(google-build-using-namespace)

template <typename T>
using Working = std::conditional_t<std::is_same_v<T, double>, double, float>;

// The input positions that one output position averages along one dimension. `counted` is the
// number of them that the divisor counts.
struct Range {
  ssize_t begin;
  ssize_t end;
  ssize_t counted;
};

// Averages one plane. `rows` and `columns` return the range of a position. A divisor of 0 means:
// divide by the number of counted elements.
template <typename T, typename RangeOf>
void Average(const T* in, const Planes& from, T* out, const Planes& to, RangeOf rows,
             RangeOf columns, int64_t divisor) {
  for (ssize_t y = 0; y < to.height; ++y) {
    const Range down = rows(y);
    for (ssize_t x = 0; x < to.width; ++x) {
      const Range across = columns(x);
      Working<T> sum = 0;
      for (ssize_t r = down.begin; r < down.end; ++r) {
        const T* const row = in + r * from.row_stride;
        for (ssize_t c = across.begin; c < across.end; ++c) {
          sum += static_cast<Working<T>>(row[c * from.column_stride]);
        }
      }
      const int64_t count = static_cast<int64_t>(down.counted) * across.counted;
      const bool empty = down.begin >= down.end || across.begin >= across.end;
      out[y * to.row_stride + x * to.column_stride] =
          empty ? T(0.0F)
                : static_cast<T>(sum / static_cast<Working<T>>(divisor != 0 ? divisor : count));
    }
  }
}

struct WindowRange {
  Window window;
  ssize_t size;
  bool count_padding;

  Range operator()(ssize_t position) const {
    const ssize_t begin = position * window.stride - window.padding;
    const ssize_t end = std::min(begin + window.size, size + window.padding);
    const ssize_t first = std::max<ssize_t>(begin, 0);
    const ssize_t last = std::min(end, size);
    return {first, last, count_padding ? end - begin : last - first};
  }
};

struct AdaptiveRange {
  ssize_t in;
  ssize_t out;

  Range operator()(ssize_t position) const {
    const auto wide = static_cast<int64_t>(position);
    const auto begin = static_cast<ssize_t>(wide * in / out);
    const auto end = static_cast<ssize_t>(((wide + 1) * in + out - 1) / out);
    return {begin, end, end - begin};
  }
};

template <DtypeSet kDtypes, typename RangeOf>
void AverageAll(const Tensor& self, Tensor& out, RangeOf rows, RangeOf columns, int64_t divisor) {
  const Planes from = PlanesOf(self);
  const Planes to = PlanesOf(out);
  WithDtype<kDtypes>(self.scalar_type(), [&](auto type) {
    using T = decltype(type);
    ForEachPlane(from, to, [&](ssize_t in_offset, ssize_t out_offset) {
      Average(self.const_data_ptr<T>() + in_offset, from, out.mutable_data_ptr<T>() + out_offset,
              to, rows, columns, divisor);
    });
  });
}

bool IsSound(const Tensor& self, const Tensor& out) {
  return self.dim() >= 3 && self.dim() <= 4 && HasData(self) &&
         out.scalar_type() == self.scalar_type();
}

}  // namespace

Tensor& avg_pool2d_out(KernelRuntimeContext& context, const Tensor& self,
                       ArrayRef<int64_t> kernel_size, ArrayRef<int64_t> stride,
                       ArrayRef<int64_t> padding, bool ceil_mode, bool count_include_pad,
                       std::optional<int64_t> divisor_override, Tensor& out) {
  constexpr auto kDtypes = Selected("aten::avg_pool2d.out") & kFloats;
  const int64_t one = 1;
  const auto vertical = WindowOf(0, kernel_size, stride, padding, ArrayRef<int64_t>(one));
  const auto horizontal = WindowOf(1, kernel_size, stride, padding, ArrayRef<int64_t>(one));
  if (!vertical || !horizontal || !IsSound(self, out) || divisor_override == 0 ||
      !Contains(kDtypes, self.scalar_type())) {
    Refuse(context);
    return out;
  }
  const Planes from = PlanesOf(self);
  if (from.height == 0 || from.width == 0 ||
      !ResizePlanes(self, Positions(from.height, *vertical, ceil_mode),
                    Positions(from.width, *horizontal, ceil_mode), out)) {
    Refuse(context);
    return out;
  }
  AverageAll<kDtypes>(self, out, WindowRange{*vertical, from.height, count_include_pad},
                      WindowRange{*horizontal, from.width, count_include_pad},
                      divisor_override.value_or(0));
  return out;
}

Tensor& _adaptive_avg_pool2d_out(KernelRuntimeContext& context, const Tensor& self,
                                 ArrayRef<int64_t> output_size, Tensor& out) {
  constexpr auto kDtypes = Selected("aten::_adaptive_avg_pool2d.out") & kFloats;
  if (output_size.size() != 2 || !IsSound(self, out) || !Contains(kDtypes, self.scalar_type()) ||
      self.size(self.dim() - 1) == 0 || self.size(self.dim() - 2) == 0 ||
      !ResizePlanes(self, output_size[0], output_size[1], out)) {
    Refuse(context);
    return out;
  }
  const Planes from = PlanesOf(self);
  const Planes to = PlanesOf(out);
  AverageAll<kDtypes>(self, out, AdaptiveRange{from.height, to.height},
                      AdaptiveRange{from.width, to.width}, 0);
  return out;
}

}  // namespace native
}  // namespace executor
}  // namespace torch
