// SPDX-License-Identifier: Apache-2.0
//
// upsample_nearest2d.vec_out, upsample_bilinear2d.vec_out, for images with a batch dimension.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <type_traits>

#include <executorch/runtime/kernel/kernel_includes.h>

#include "pilotlight/kernels/dtype.h"
#include "pilotlight/kernels/pooling.h"
#include "pilotlight/kernels/shape.h"

namespace torch {
namespace executor {
namespace native {
namespace {

using namespace pilotlight::kernels;  // NOLINT(google-build-using-namespace)

// The two images, and the number of input positions per output position.
struct Upsampling {
  Planes from;
  Planes to;
  double row_scale;
  double column_scale;
};

// PyTorch computes with the scale that the caller gave. PyTorch computes the scale from the sizes
// if the caller gave sizes, or if the corners are aligned.
double ScaleOf(ssize_t in, ssize_t out, std::optional<double> given, bool align_corners) {
  if (align_corners) {
    return out > 1 ? static_cast<double>(in - 1) / static_cast<double>(out - 1) : 0.0;
  }
  if (given) return 1.0 / *given;
  return static_cast<double>(in) / static_cast<double>(out);
}

// Resizes `out`. False if the sizes or scales do not give an image.
bool MakePlan(const Tensor& input, std::optional<ArrayRef<int64_t>> output_size,
              std::optional<ArrayRef<double>> scale_factors, bool align_corners, Tensor& out,
              Upsampling& plan) {
  if (input.dim() != 4 || out.scalar_type() != input.scalar_type() || !HasData(input) ||
      output_size.has_value() == scale_factors.has_value()) {
    return false;
  }
  plan.from = PlanesOf(input);
  if (plan.from.height == 0 || plan.from.width == 0) return false;
  std::optional<double> scales[2];
  int64_t sizes[2] = {};
  for (std::size_t i = 0; i < 2; ++i) {
    if (output_size) {
      if (output_size->size() != 2) return false;
      sizes[i] = (*output_size)[i];
      continue;
    }
    if (scale_factors->size() != 2) return false;
    const double scale = (*scale_factors)[i];
    const double size = static_cast<double>(i == 0 ? plan.from.height : plan.from.width) * scale;
    if (!(scale > 0) || !(size < 1e9)) return false;
    scales[i] = scale;
    sizes[i] = static_cast<int64_t>(size);
  }
  if (!ResizePlanes(input, sizes[0], sizes[1], out)) return false;
  plan.to = PlanesOf(out);
  plan.row_scale = ScaleOf(plan.from.height, plan.to.height, scales[0], align_corners);
  plan.column_scale = ScaleOf(plan.from.width, plan.to.width, scales[1], align_corners);
  return true;
}

ssize_t Nearest(ssize_t position, double scale, ssize_t size) {
  const float source = std::floor(static_cast<float>(position) * static_cast<float>(scale));
  return std::min(static_cast<ssize_t>(source), size - 1);
}

template <typename T>
void CopyNearest(const T* in, const Upsampling& plan, T* out) {
  for (ssize_t y = 0; y < plan.to.height; ++y) {
    const ssize_t row = Nearest(y, plan.row_scale, plan.from.height) * plan.from.row_stride;
    for (ssize_t x = 0; x < plan.to.width; ++x) {
      const ssize_t column = Nearest(x, plan.column_scale, plan.from.width);
      out[y * plan.to.row_stride + x * plan.to.column_stride] =
          in[row + column * plan.from.column_stride];
    }
  }
}

// Two adjacent positions, and the weight of the second.
template <typename W>
struct Neighbouring {
  ssize_t first;
  ssize_t second;
  W share;
};

template <typename W>
Neighbouring<W> Neighbours(ssize_t position, double scale, ssize_t size, bool align_corners) {
  const W step = static_cast<W>(scale);
  W source = align_corners
                 ? step * static_cast<W>(position)
                 : step * (static_cast<W>(position) + static_cast<W>(0.5)) - static_cast<W>(0.5);
  source = std::max(source, W{0});
  const ssize_t first = std::min(static_cast<ssize_t>(source), size - 1);
  const W share = std::min(std::max(source - static_cast<W>(first), W{0}), W{1});
  return {first, first + (first < size - 1 ? 1 : 0), share};
}

template <typename T>
void Interpolate(const T* in, const Upsampling& plan, bool align_corners, T* out) {
  using W = std::conditional_t<std::is_same_v<T, double>, double, float>;
  for (ssize_t y = 0; y < plan.to.height; ++y) {
    const auto rows = Neighbours<W>(y, plan.row_scale, plan.from.height, align_corners);
    const T* const upper = in + rows.first * plan.from.row_stride;
    const T* const lower = in + rows.second * plan.from.row_stride;
    for (ssize_t x = 0; x < plan.to.width; ++x) {
      const auto columns = Neighbours<W>(x, plan.column_scale, plan.from.width, align_corners);
      const ssize_t left = columns.first * plan.from.column_stride;
      const ssize_t right = columns.second * plan.from.column_stride;
      const W above = static_cast<W>(upper[left]) * (1 - columns.share) +
                      static_cast<W>(upper[right]) * columns.share;
      const W below = static_cast<W>(lower[left]) * (1 - columns.share) +
                      static_cast<W>(lower[right]) * columns.share;
      out[y * plan.to.row_stride + x * plan.to.column_stride] =
          T(above * (1 - rows.share) + below * rows.share);
    }
  }
}

}  // namespace

Tensor& upsample_nearest2d_vec_out(KernelRuntimeContext& context, const Tensor& input,
                                   std::optional<ArrayRef<int64_t>> output_size,
                                   std::optional<ArrayRef<double>> scale_factors, Tensor& out) {
  constexpr auto kDtypes =
      Selected("aten::upsample_nearest2d.vec_out") & (kFloats | SetOf(ScalarType::Byte));
  Upsampling plan{};
  if (!Contains(kDtypes, input.scalar_type()) ||
      !MakePlan(input, output_size, scale_factors, false, out, plan)) {
    Refuse(context);
    return out;
  }
  WithDtype<kDtypes>(input.scalar_type(), [&](auto type) {
    using T = decltype(type);
    ForEachPlane(plan.from, plan.to, [&](ssize_t from, ssize_t to) {
      CopyNearest(input.const_data_ptr<T>() + from, plan, out.mutable_data_ptr<T>() + to);
    });
  });
  return out;
}

Tensor& upsample_bilinear2d_vec_out(KernelRuntimeContext& context, const Tensor& input,
                                    std::optional<ArrayRef<int64_t>> output_size,
                                    bool align_corners,
                                    std::optional<ArrayRef<double>> scale_factors, Tensor& out) {
  constexpr auto kDtypes = Selected("aten::upsample_bilinear2d.vec_out") & kFloats;
  Upsampling plan{};
  if (!Contains(kDtypes, input.scalar_type()) ||
      !MakePlan(input, output_size, scale_factors, align_corners, out, plan)) {
    Refuse(context);
    return out;
  }
  WithDtype<kDtypes>(input.scalar_type(), [&](auto type) {
    using T = decltype(type);
    ForEachPlane(plan.from, plan.to, [&](ssize_t from, ssize_t to) {
      Interpolate(input.const_data_ptr<T>() + from, plan, align_corners,
                  out.mutable_data_ptr<T>() + to);
    });
  });
  return out;
}

}  // namespace native
}  // namespace executor
}  // namespace torch
