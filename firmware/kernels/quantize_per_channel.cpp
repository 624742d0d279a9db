// SPDX-License-Identifier: Apache-2.0
//
// quantized_decomposed::quantize_per_channel.out and dequantize_per_channel.out, in any dim order.
// As in PyTorch, the arithmetic is in double precision if the scales are doubles.
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>

#include <executorch/runtime/kernel/kernel_includes.h>

#include "pilotlight/kernels/axes.h"
#include "pilotlight/kernels/dtype.h"
#include "pilotlight/kernels/quantization_tensors.h"
#include "pilotlight/kernels/shape.h"

namespace torch {
namespace executor {
namespace native {
namespace {

using namespace pilotlight::kernels;  // NOLINT(google-build-using-namespace)

struct PerChannel {
  const Tensor& scales;
  const std::optional<Tensor>& zero_points;  // If absent, all are 0.
  std::size_t axis;
  std::int64_t min;
  std::int64_t max;

  std::int64_t ZeroPoint(ssize_t channel) const {
    std::int64_t zero_point = 0;
    if (zero_points) ZeroPointAt(*zero_points, channel, zero_point);
    return zero_point;
  }
};

// True if every scale is positive, every zero point fits int32, and the limits fit `dtype`, one of
// kDtypes.
template <DtypeSet kDtypes>
bool IsSound(const PerChannel& how, ssize_t count, ScalarType dtype) {
  if (how.scales.numel() != count || !HasData(how.scales)) return false;
  if (how.zero_points && (how.zero_points->numel() != count || !HasData(*how.zero_points))) {
    return false;
  }
  for (ssize_t i = 0; i < count; ++i) {
    using Limits = std::numeric_limits<std::int32_t>;
    std::int64_t zero_point = 0;
    if (how.zero_points && !ZeroPointAt(*how.zero_points, i, zero_point)) return false;
    if (!(ScaleAt(how.scales, i) > 0) || zero_point < Limits::min() || zero_point > Limits::max()) {
      return false;
    }
  }
  bool within = false;
  WithDtype<kDtypes>(dtype, [&](auto type) {
    using Limits = std::numeric_limits<decltype(type)>;
    within = how.min >= Limits::min() && how.max <= Limits::max() && how.min <= how.max;
  });
  return within;
}

// Calls body(channel, in offset, out offset) for each element.
template <typename Body>
void ForEachElement(const Tensor& in, const Tensor& out, std::size_t axis, Body body) {
  Axes others;
  for (std::size_t d = 0; d < static_cast<std::size_t>(in.dim()); ++d) {
    if (d != axis) others.Add({in.sizes()[d], in.strides()[d], out.strides()[d]});
  }
  for (ssize_t channel = 0; channel < in.sizes()[axis]; ++channel) {
    const ssize_t in_start = channel * in.strides()[axis];
    const ssize_t out_start = channel * out.strides()[axis];
    ForEachPoint(others,
                 [&](ssize_t from, ssize_t to) { body(channel, in_start + from, out_start + to); });
  }
}

template <typename Real, typename Integer>
void Quantize(const Tensor& input, const PerChannel& how, Tensor& out) {
  const float* const values = input.const_data_ptr<float>();
  auto* const results = out.mutable_data_ptr<Integer>();
  ForEachElement(input, out, how.axis, [&](ssize_t channel, ssize_t from, ssize_t to) {
    const Real inverse = 1 / static_cast<Real>(ScaleAt(how.scales, channel));
    const Real rounded = std::nearbyint(static_cast<Real>(values[from]) * inverse) +
                         static_cast<Real>(how.ZeroPoint(channel));
    // This order of comparisons gives the lower limit for NaN.
    if (!(rounded > static_cast<Real>(how.min))) {
      results[to] = static_cast<Integer>(how.min);
    } else if (rounded >= static_cast<Real>(how.max)) {
      results[to] = static_cast<Integer>(how.max);
    } else {
      results[to] = static_cast<Integer>(rounded);
    }
  });
}

template <typename Real, typename Integer>
void Dequantize(const Tensor& input, const PerChannel& how, Tensor& out) {
  const auto* const values = input.const_data_ptr<Integer>();
  float* const results = out.mutable_data_ptr<float>();
  ForEachElement(input, out, how.axis, [&](ssize_t channel, ssize_t from, ssize_t to) {
    const auto difference = static_cast<Real>(values[from] - how.ZeroPoint(channel));
    results[to] = static_cast<float>(difference * static_cast<Real>(ScaleAt(how.scales, channel)));
  });
}

}  // namespace

Tensor& quantize_per_channel_out(KernelRuntimeContext& context, const Tensor& input,
                                 const Tensor& scales, const Tensor& zero_points, int64_t axis,
                                 int64_t quant_min, int64_t quant_max, ScalarType dtype,
                                 Tensor& out) {
  constexpr DtypeSet kDtypes =
      kQuantised & Selected("quantized_decomposed::quantize_per_channel.out");
  const std::optional<Tensor> zeros = zero_points;
  PerChannel how{scales, zeros, 0, quant_min, quant_max};
  if (input.dim() == 0 || !NormaliseDim(axis, static_cast<std::size_t>(input.dim()), how.axis) ||
      input.scalar_type() != ScalarType::Float || out.scalar_type() != dtype || !HasData(input) ||
      !IsSound<kDtypes>(how, input.sizes()[how.axis], dtype) || !Resize(ShapeOf(input), out)) {
    Refuse(context);
    return out;
  }
  WithDtype<kDtypes>(dtype, [&](auto type) {
    using Integer = decltype(type);
    if (scales.scalar_type() == ScalarType::Float) {
      Quantize<float, Integer>(input, how, out);
    } else {
      Quantize<double, Integer>(input, how, out);
    }
  });
  return out;
}

Tensor& dequantize_per_channel_out(KernelRuntimeContext& context, const Tensor& input,
                                   const Tensor& scales, const std::optional<Tensor>& zero_points,
                                   int64_t axis, int64_t quant_min, int64_t quant_max,
                                   ScalarType dtype, std::optional<ScalarType> out_dtype,
                                   Tensor& out) {
  constexpr DtypeSet kDtypes =
      kQuantised & Selected("quantized_decomposed::dequantize_per_channel.out");
  PerChannel how{scales, zero_points, 0, quant_min, quant_max};
  if (input.dim() == 0 || !NormaliseDim(axis, static_cast<std::size_t>(input.dim()), how.axis) ||
      input.scalar_type() != dtype || out.scalar_type() != ScalarType::Float ||
      out_dtype.value_or(ScalarType::Float) != ScalarType::Float || !HasData(input) ||
      !IsSound<kDtypes>(how, input.sizes()[how.axis], dtype) || !Resize(ShapeOf(input), out)) {
    Refuse(context);
    return out;
  }
  WithDtype<kDtypes>(dtype, [&](auto type) {
    using Integer = decltype(type);
    if (scales.scalar_type() == ScalarType::Float) {
      Dequantize<float, Integer>(input, how, out);
    } else {
      Dequantize<double, Integer>(input, how, out);
    }
  });
  return out;
}

}  // namespace native
}  // namespace executor
}  // namespace torch
