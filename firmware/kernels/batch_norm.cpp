// SPDX-License-Identifier: Apache-2.0
//
// _native_batch_norm_legit_no_training.out, and _native_batch_norm_legit.no_stats_out, which
// instance normalisation is exported as. Both operators work per channel, in any dim order.
#include <cmath>
#include <cstdint>
#include <optional>
#include <tuple>

#include <executorch/runtime/kernel/kernel_includes.h>

#include "pilotlight/kernels/axes.h"
#include "pilotlight/kernels/dtype.h"
#include "pilotlight/kernels/normalize.h"

namespace torch {
namespace executor {
namespace native {
namespace {

using namespace pilotlight::kernels;  // NOLINT(google-build-using-namespace)

// All axes except the channels.
Axes PixelsOf(const Tensor& input, const Tensor& out) {
  Axes pixels;
  for (std::size_t d = 0; d < static_cast<std::size_t>(input.dim()); ++d) {
    if (d != 1) pixels.Add({input.sizes()[d], input.strides()[d], out.strides()[d]});
  }
  return pixels;
}

template <typename T>
void NormalizeChannel(const T* from, const Statistics& statistics, double weight, double bias,
                      const Axes& pixels, T* to) {
  const double factor = statistics.inverse_deviation * weight;
  ForEachPoint(pixels, [&](ssize_t in_offset, ssize_t out_offset) {
    to[out_offset] =
        Convert<T>((Convert<double>(from[in_offset]) - statistics.mean) * factor + bias);
  });
}

// `statistics` returns the statistics of one channel.
template <typename T, typename StatisticsOfChannel>
void NormalizeChannels(const Tensor& input, const T* weight, const T* bias, Tensor& out,
                       StatisticsOfChannel statistics) {
  const Axes pixels = PixelsOf(input, out);
  for (ssize_t c = 0; c < input.size(1); ++c) {
    const T* const from = input.const_data_ptr<T>() + c * input.strides()[1];
    NormalizeChannel(from, statistics(from, pixels, c), ElementOr(weight, c, 1.0),
                     ElementOr(bias, c, 0.0), pixels,
                     out.mutable_data_ptr<T>() + c * out.strides()[1]);
  }
}

bool IsSound(const Tensor& input, const std::optional<Tensor>& weight,
             const std::optional<Tensor>& bias, const Tensor& out) {
  return input.dim() >= 2 && HasData(input) && out.scalar_type() == input.scalar_type() &&
         IsParameter(weight, input.size(1), input.scalar_type()) &&
         IsParameter(bias, input.size(1), input.scalar_type());
}

}  // namespace

std::tuple<Tensor&, Tensor&, Tensor&> _native_batch_norm_legit_no_training_out(
    KernelRuntimeContext& context, const Tensor& input, const std::optional<Tensor>& weight,
    const std::optional<Tensor>& bias, const Tensor& running_mean, const Tensor& running_var,
    double momentum, double eps, Tensor& out0, Tensor& out1, Tensor& out2) {
  constexpr auto kDtypes = Selected("aten::_native_batch_norm_legit_no_training.out") & kFloats;
  static_cast<void>(momentum);  // Running statistics are read, not updated.
  const std::tuple<Tensor&, Tensor&, Tensor&> results{out0, out1, out2};
  const ScalarType dtype = input.scalar_type();
  // PyTorch returns empty batch statistics.
  Shape nothing;
  nothing.Append(0);
  if (!Contains(kDtypes, dtype) || !IsSound(input, weight, bias, out0) ||
      !IsParameter(running_mean, input.size(1), dtype) ||
      !IsParameter(running_var, input.size(1), dtype) || !Resize(ShapeOf(input), out0) ||
      !Resize(nothing, out1) || !Resize(nothing, out2)) {
    Refuse(context);
    return results;
  }
  WithDtype<kDtypes>(dtype, [&](auto type) {
    using T = decltype(type);
    NormalizeChannels<T>(input, DataOrNull<T>(weight), DataOrNull<T>(bias), out0,
                         [&](const T*, const Axes&, ssize_t c) {
                           const double variance =
                               Convert<double>(running_var.const_data_ptr<T>()[c]);
                           return Statistics{Convert<double>(running_mean.const_data_ptr<T>()[c]),
                                             1.0 / std::sqrt(variance + eps)};
                         });
  });
  return results;
}

std::tuple<Tensor&, Tensor&, Tensor&> _native_batch_norm_legit_no_stats_out(
    KernelRuntimeContext& context, const Tensor& input, const std::optional<Tensor>& weight,
    const std::optional<Tensor>& bias, bool training, double momentum, double eps, Tensor& out,
    Tensor& save_mean, Tensor& save_invstd) {
  constexpr auto kDtypes = Selected("aten::_native_batch_norm_legit.no_stats_out") & kFloats;
  static_cast<void>(momentum);
  const std::tuple<Tensor&, Tensor&, Tensor&> results{out, save_mean, save_invstd};
  const ScalarType dtype = input.scalar_type();
  Shape channels;
  // If `training` is false, batch normalisation needs running statistics, which this operator does
  // not get.
  if (!training || !Contains(kDtypes, dtype) || !IsSound(input, weight, bias, out) ||
      input.numel() == 0 || !tensors_have_same_dtype(input, save_mean, save_invstd) ||
      !channels.Append(input.size(1)) || !Resize(ShapeOf(input), out) ||
      !Resize(channels, save_mean) || !Resize(channels, save_invstd)) {
    Refuse(context);
    return results;
  }
  WithDtype<kDtypes>(dtype, [&](auto type) {
    using T = decltype(type);
    NormalizeChannels<T>(input, DataOrNull<T>(weight), DataOrNull<T>(bias), out,
                         [&](const T* from, const Axes& pixels, ssize_t c) {
                           const Statistics found = StatisticsOf(from, pixels, eps);
                           save_mean.mutable_data_ptr<T>()[c] = Convert<T>(found.mean);
                           save_invstd.mutable_data_ptr<T>()[c] =
                               Convert<T>(found.inverse_deviation);
                           return found;
                         });
  });
  return results;
}

}  // namespace native
}  // namespace executor
}  // namespace torch
