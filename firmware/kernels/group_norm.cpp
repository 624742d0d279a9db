// SPDX-License-Identifier: Apache-2.0
//
// native_group_norm.out, in any dim order.
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

template <typename T>
void NormalizeGroups(const Tensor& input, const T* weight, const T* bias, double eps,
                     ssize_t groups, Tensor& out, Tensor& mean, Tensor& rstd) {
  const ssize_t channels = input.size(1) / groups;
  Axes pixels;
  Axes group;
  group.Add({channels, input.strides()[1], out.strides()[1]});
  for (std::size_t d = 2; d < static_cast<std::size_t>(input.dim()); ++d) {
    const Axis axis{input.sizes()[d], input.strides()[d], out.strides()[d]};
    pixels.Add(axis);
    group.Add(axis);
  }
  for (ssize_t n = 0; n < input.size(0); ++n) {
    for (ssize_t g = 0; g < groups; ++g) {
      const T* const from =
          input.const_data_ptr<T>() + n * input.strides()[0] + g * channels * input.strides()[1];
      T* const to =
          out.mutable_data_ptr<T>() + n * out.strides()[0] + g * channels * out.strides()[1];
      const Statistics statistics = StatisticsOf(from, group, eps);
      mean.mutable_data_ptr<T>()[n * groups + g] = Convert<T>(statistics.mean);
      rstd.mutable_data_ptr<T>()[n * groups + g] = Convert<T>(statistics.inverse_deviation);
      for (ssize_t c = 0; c < channels; ++c) {
        const double factor =
            statistics.inverse_deviation * ElementOr(weight, g * channels + c, 1.0);
        const double shift = ElementOr(bias, g * channels + c, 0.0);
        const T* const channel = from + c * input.strides()[1];
        T* const result = to + c * out.strides()[1];
        ForEachPoint(pixels, [&](ssize_t in_offset, ssize_t out_offset) {
          const double value = Convert<double>(channel[in_offset]) - statistics.mean;
          result[out_offset] = Convert<T>(value * factor + shift);
        });
      }
    }
  }
}

}  // namespace

std::tuple<Tensor&, Tensor&, Tensor&> native_group_norm_out(
    KernelRuntimeContext& context, const Tensor& input, const std::optional<Tensor>& weight,
    const std::optional<Tensor>& bias, int64_t N, int64_t C, int64_t HxW, int64_t group, double eps,
    Tensor& out0, Tensor& out1, Tensor& out2) {
  constexpr auto kDtypes = Selected("aten::native_group_norm.out") & kFloats;
  const std::tuple<Tensor&, Tensor&, Tensor&> results{out0, out1, out2};
  const ScalarType dtype = input.scalar_type();
  bool sound = input.dim() >= 2 && input.size(0) == N && input.size(1) == C && group >= 1 &&
               group <= C && C % group == 0 && Contains(kDtypes, dtype) && HasData(input) &&
               tensors_have_same_dtype(input, out0, out1) && out2.scalar_type() == dtype &&
               tensor_is_default_dim_order(out1) && tensor_is_default_dim_order(out2);
  int64_t pixels = 1;
  for (ssize_t d = 2; d < input.dim(); ++d) pixels *= input.size(d);
  Shape statistics;
  sound = sound && pixels == HxW && statistics.Append(N) && statistics.Append(group) &&
          IsParameter(weight, static_cast<ssize_t>(C), dtype) &&
          IsParameter(bias, static_cast<ssize_t>(C), dtype);
  if (!sound || !Resize(ShapeOf(input), out0) || !Resize(statistics, out1) ||
      !Resize(statistics, out2)) {
    Refuse(context);
    return results;
  }
  WithDtype<kDtypes>(dtype, [&](auto type) {
    using T = decltype(type);
    NormalizeGroups<T>(input, DataOrNull<T>(weight), DataOrNull<T>(bias), eps,
                       static_cast<ssize_t>(group), out0, out1, out2);
  });
  return results;
}

}  // namespace native
}  // namespace executor
}  // namespace torch
