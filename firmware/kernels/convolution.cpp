// SPDX-License-Identifier: Apache-2.0
//
// convolution.out over one, two or three spatial dimensions, transposed or not, in any dim order.
#include <algorithm>
#include <cstdint>
#include <optional>

#include <executorch/runtime/kernel/kernel_includes.h>

#include "pilotlight/kernels/dtype.h"
#include "pilotlight/kernels/inner_loops.h"
#include "pilotlight/kernels/shape.h"

namespace torch {
namespace executor {
namespace native {
namespace {

using namespace pilotlight::kernels;  // NOLINT(google-build-using-namespace)

constexpr std::size_t kSpatial = 3;
// With this limit, the product of a stride and a position fits 32 bits until the shape is checked.
constexpr int64_t kMaxParameter = 0x7fff;

// One spatial dimension. For output position p and tap k, a convolution reads input position p *
// stride - padding + k * dilation. In a transposed convolution, input and output swap roles.
struct Spatial {
  ssize_t in = 1;
  ssize_t out = 1;
  ssize_t taps = 1;
  ssize_t stride = 1;
  ssize_t padding = 0;
  ssize_t dilation = 1;
  ssize_t in_stride = 0;
  ssize_t out_stride = 0;
  ssize_t weight_stride = 0;
};

// The positions at which one tap lies inside both tensors.
struct Overlap {
  ssize_t count;
  ssize_t in;  // First position in the input, and the step to the next.
  ssize_t in_step;
  ssize_t out;
  ssize_t out_step;
};

struct Geometry {
  Spatial spatial[kSpatial];  // Unused ones come first, with one position each.
  ssize_t batch;
  ssize_t groups;
  ssize_t in_channels;  // Per group.
  ssize_t out_channels;
  bool transposed;
};

Overlap OverlapOf(const Spatial& axis, ssize_t tap, bool transposed) {
  const ssize_t positions = transposed ? axis.in : axis.out;
  const ssize_t limit = transposed ? axis.out : axis.in;
  const ssize_t shift = tap * axis.dilation - axis.padding;
  const ssize_t first = shift < 0 ? (-shift + axis.stride - 1) / axis.stride : 0;
  const ssize_t end = limit > shift ? (limit - shift - 1) / axis.stride + 1 : 0;
  const ssize_t count = std::max<ssize_t>(std::min(end, positions) - first, 0);
  const ssize_t other = first * axis.stride + shift;
  if (transposed) return {count, first, 1, other, axis.stride};
  return {count, other, axis.stride, first, 1};
}

// Strides between channels, from the tensors.
struct Channels {
  ssize_t in;      // From one input channel to the next, in the input.
  ssize_t out;     // From one output channel to the next, in the output.
  ssize_t weight;  // In the weights, to the next input channel.
  ssize_t filter;  // In the weights, to the next output channel.
};

template <typename T>
void Fill(T* out, const Geometry& geometry, T value) {
  const Spatial* const s = geometry.spatial;
  for (ssize_t d = 0; d < s[0].out; ++d) {
    for (ssize_t h = 0; h < s[1].out; ++h) {
      T* const row = out + d * s[0].out_stride + h * s[1].out_stride;
      for (ssize_t w = 0; w < s[2].out; ++w) row[w * s[2].out_stride] = value;
    }
  }
}

// Adds the contribution of one input channel to one output channel, row by row. A tap has the same
// weight along a row, and no position needs a bounds check.
template <typename T>
void AddChannel(const T* in, const T* weight, T* out, const Geometry& geometry) {
  const Spatial* const s = geometry.spatial;
  for (ssize_t kd = 0; kd < s[0].taps; ++kd) {
    const Overlap depth = OverlapOf(s[0], kd, geometry.transposed);
    for (ssize_t kh = 0; kh < s[1].taps; ++kh) {
      const Overlap height = OverlapOf(s[1], kh, geometry.transposed);
      for (ssize_t kw = 0; kw < s[2].taps; ++kw) {
        const Overlap width = OverlapOf(s[2], kw, geometry.transposed);
        const T factor =
            weight[kd * s[0].weight_stride + kh * s[1].weight_stride + kw * s[2].weight_stride];
        for (ssize_t d = 0; d < depth.count; ++d) {
          for (ssize_t h = 0; h < height.count; ++h) {
            const T* const from = in + (depth.in + d * depth.in_step) * s[0].in_stride +
                                  (height.in + h * height.in_step) * s[1].in_stride +
                                  width.in * s[2].in_stride;
            T* const to = out + (depth.out + d * depth.out_step) * s[0].out_stride +
                          (height.out + h * height.out_step) * s[1].out_stride +
                          width.out * s[2].out_stride;
            AddScaled(to, width.out_step * s[2].out_stride, from, width.in_step * s[2].in_stride,
                      factor, width.count);
          }
        }
      }
    }
  }
}

// The taps that lie inside the input, for one output position.
struct Taps {
  ssize_t begin;
  ssize_t end;
  ssize_t origin;  // Input position of tap 0.
};

Taps TapsAt(const Spatial& axis, ssize_t position) {
  const ssize_t origin = position * axis.stride - axis.padding;
  const ssize_t begin = origin < 0 ? (-origin + axis.dilation - 1) / axis.dilation : 0;
  const ssize_t end = axis.in > origin ? (axis.in - origin - 1) / axis.dilation + 1 : 0;
  return {begin, std::min(end, axis.taps), origin};
}

// Computes one position of one output channel over all input channels. This function is meant for
// channels that are adjacent in memory. Not for transposed convolutions.
template <typename T>
T SumAt(const T* in, const T* weight, const Geometry& geometry, const Channels& channels,
        const Taps (&taps)[kSpatial]) {
  const Spatial* const s = geometry.spatial;
  T sum = 0;
  for (ssize_t kd = taps[0].begin; kd < taps[0].end; ++kd) {
    for (ssize_t kh = taps[1].begin; kh < taps[1].end; ++kh) {
      for (ssize_t kw = taps[2].begin; kw < taps[2].end; ++kw) {
        const T* const from = in + (taps[0].origin + kd * s[0].dilation) * s[0].in_stride +
                              (taps[1].origin + kh * s[1].dilation) * s[1].in_stride +
                              (taps[2].origin + kw * s[2].dilation) * s[2].in_stride;
        const T* const factors =
            weight + kd * s[0].weight_stride + kh * s[1].weight_stride + kw * s[2].weight_stride;
        sum += Dot(from, channels.in, factors, channels.weight, geometry.in_channels);
      }
    }
  }
  return sum;
}

template <typename T>
void SumChannels(const T* in, const T* weight, T bias, T* out, const Geometry& geometry,
                 const Channels& channels) {
  const Spatial* const s = geometry.spatial;
  Taps taps[kSpatial];
  for (ssize_t d = 0; d < s[0].out; ++d) {
    taps[0] = TapsAt(s[0], d);
    for (ssize_t h = 0; h < s[1].out; ++h) {
      taps[1] = TapsAt(s[1], h);
      for (ssize_t w = 0; w < s[2].out; ++w) {
        taps[2] = TapsAt(s[2], w);
        out[d * s[0].out_stride + h * s[1].out_stride + w * s[2].out_stride] =
            bias + SumAt(in, weight, geometry, channels, taps);
      }
    }
  }
}

// With at least this many adjacent channels, summing over channels is faster than working by rows.
constexpr ssize_t kEnoughChannels = 4;

template <typename T>
void Convolve(const Tensor& input, const Tensor& weight, const T* bias, const Geometry& geometry,
              Tensor& out) {
  const std::size_t to_in = geometry.transposed ? 0 : 1;
  const Channels channels{input.strides()[1], out.strides()[1], weight.strides()[to_in],
                          weight.strides()[1 - to_in]};
  const bool by_position =
      !geometry.transposed && channels.in == 1 && geometry.in_channels >= kEnoughChannels;
  for (ssize_t n = 0; n < geometry.batch; ++n) {
    for (ssize_t channel = 0; channel < geometry.groups * geometry.out_channels; ++channel) {
      const ssize_t group = channel / geometry.out_channels;
      const ssize_t first = group * geometry.in_channels;
      const ssize_t filter = geometry.transposed ? channel % geometry.out_channels : channel;
      const T* const from =
          input.const_data_ptr<T>() + n * input.strides()[0] + first * channels.in;
      const T* const factors = weight.const_data_ptr<T>() + filter * channels.filter +
                               (geometry.transposed ? first * channels.weight : 0);
      T* const to = out.mutable_data_ptr<T>() + n * out.strides()[0] + channel * channels.out;
      const T start = bias != nullptr ? bias[channel] : T{};
      if (by_position) {
        SumChannels(from, factors, start, to, geometry, channels);
        continue;
      }
      Fill(to, geometry, start);
      for (ssize_t c = 0; c < geometry.in_channels; ++c) {
        AddChannel(from + c * channels.in, factors + c * channels.weight, to, geometry);
      }
    }
  }
}

// Element `i` of a list with one element per dimension, or one for all. Returns nothing if the list
// has the wrong length, or if the value is below `least` or too large.
std::optional<ssize_t> Parameter(ArrayRef<int64_t> list, std::size_t i, std::size_t dims,
                                 int64_t least) {
  if (list.size() != dims && list.size() != 1) return std::nullopt;
  const int64_t value = list[list.size() == 1 ? 0 : i];
  if (value < least || value > kMaxParameter) return std::nullopt;
  return static_cast<ssize_t>(value);
}

}  // namespace

Tensor& convolution_out(KernelRuntimeContext& context, const Tensor& input, const Tensor& weight,
                        const std::optional<Tensor>& bias, ArrayRef<int64_t> stride,
                        ArrayRef<int64_t> padding, ArrayRef<int64_t> dilation, bool transposed,
                        ArrayRef<int64_t> output_padding, int64_t groups, Tensor& out) {
  constexpr auto kDtypes =
      Selected("aten::convolution.out") & SetOf(ScalarType::Float, ScalarType::Double);
  const ssize_t rank = input.dim();
  bool sound = rank >= 3 && rank <= 5 && weight.dim() == rank && out.dim() == rank && groups >= 1 &&
               groups <= weight.size(0) && weight.size(0) % groups == 0 &&
               input.scalar_type() == out.scalar_type() &&
               weight.scalar_type() == out.scalar_type() && HasData(input) && HasData(weight) &&
               Contains(kDtypes, out.scalar_type());
  if (!sound) {
    Refuse(context);
    return out;
  }
  Geometry geometry{};
  geometry.batch = input.size(0);
  geometry.groups = static_cast<ssize_t>(groups);
  geometry.in_channels = transposed ? weight.size(0) / geometry.groups : weight.size(1);
  geometry.out_channels = transposed ? weight.size(1) : weight.size(0) / geometry.groups;
  geometry.transposed = transposed;
  const ssize_t filters = geometry.out_channels * geometry.groups;
  sound = static_cast<int64_t>(geometry.in_channels) * groups == input.size(1);
  if (bias) {
    sound = sound && bias->dim() == 1 && bias->size(0) == filters && HasData(*bias) &&
            bias->scalar_type() == out.scalar_type();
  }
  Shape shape;
  shape.Append(geometry.batch);
  shape.Append(filters);
  const auto dims = static_cast<std::size_t>(rank) - 2;
  for (std::size_t i = 0; i < dims && sound; ++i) {
    const auto step = Parameter(stride, i, dims, 1);
    const auto pad = Parameter(padding, i, dims, 0);
    const auto spread = Parameter(dilation, i, dims, 1);
    const auto extra = transposed ? Parameter(output_padding, i, dims, 0) : 0;
    sound = step && pad && spread && extra;
    if (!sound) break;
    Spatial& axis = geometry.spatial[kSpatial - dims + i];
    axis = {input.sizes()[i + 2], 0, weight.sizes()[i + 2], *step, *pad, *spread, 0, 0, 0};
    const int64_t reach = static_cast<int64_t>(*spread) * (axis.taps - 1) + 1;
    const int64_t margin = 2 * static_cast<int64_t>(*pad);
    const int64_t span = axis.in + margin - reach;
    const int64_t size = transposed
                             ? (static_cast<int64_t>(axis.in) - 1) * *step - margin + reach + *extra
                             : (span < 0 ? -1 : span / *step + 1);
    // PyTorch refuses an empty output. PyTorch also refuses an output padding that is smaller than
    // neither the stride nor the dilation.
    sound = axis.taps >= 1 && size >= 1 && shape.Append(size) &&
            (*extra == 0 || *extra < *step || *extra < *spread);
    axis.out = static_cast<ssize_t>(size);
  }
  if (!sound || !Resize(shape, out)) {
    Refuse(context);
    return out;
  }
  for (std::size_t i = 0; i < dims; ++i) {
    Spatial& axis = geometry.spatial[kSpatial - dims + i];
    axis.in_stride = input.strides()[i + 2];
    axis.out_stride = out.strides()[i + 2];
    axis.weight_stride = weight.strides()[i + 2];
  }
  WithDtype<kDtypes>(out.scalar_type(), [&](auto type) {
    using T = decltype(type);
    Convolve<T>(input, weight, bias ? bias->const_data_ptr<T>() : nullptr, geometry, out);
  });
  return out;
}

}  // namespace native
}  // namespace executor
}  // namespace torch
