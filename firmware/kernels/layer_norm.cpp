// SPDX-License-Identifier: Apache-2.0
//
// native_layer_norm.out, over the last dimensions, which are adjacent in memory.
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
void NormalizeRows(const Tensor& input, const T* weight, const T* bias, double eps, ssize_t rows,
                   ssize_t length, Tensor& out, Tensor& mean, Tensor& rstd) {
  Axes row;
  row.Add({length, 1, 1});
  for (ssize_t r = 0; r < rows; ++r) {
    const T* const from = input.const_data_ptr<T>() + r * length;
    T* const to = out.mutable_data_ptr<T>() + r * length;
    const Statistics statistics = StatisticsOf(from, row, eps);
    mean.mutable_data_ptr<T>()[r] = Convert<T>(statistics.mean);
    rstd.mutable_data_ptr<T>()[r] = Convert<T>(statistics.inverse_deviation);
    for (ssize_t i = 0; i < length; ++i) {
      const double value =
          (Convert<double>(from[i]) - statistics.mean) * statistics.inverse_deviation;
      to[i] = Convert<T>(value * ElementOr(weight, i, 1.0) + ElementOr(bias, i, 0.0));
    }
  }
}

}  // namespace

std::tuple<Tensor&, Tensor&, Tensor&> native_layer_norm_out(
    KernelRuntimeContext& context, const Tensor& input, ArrayRef<int64_t> normalized_shape,
    const std::optional<Tensor>& weight, const std::optional<Tensor>& bias, double eps,
    Tensor& out0, Tensor& out1, Tensor& out2) {
  constexpr auto kDtypes = Selected("aten::native_layer_norm.out") & kFloats;
  const std::tuple<Tensor&, Tensor&, Tensor&> results{out0, out1, out2};
  const ScalarType dtype = input.scalar_type();
  const auto rank = static_cast<std::size_t>(input.dim());
  const std::size_t normalized = normalized_shape.size();
  bool sound = normalized >= 1 && normalized <= rank && Contains(kDtypes, dtype) &&
               tensors_have_same_dtype(input, out0, out1) && out2.scalar_type() == dtype &&
               tensor_is_default_dim_order(input) && tensor_is_default_dim_order(out0) &&
               tensor_is_default_dim_order(out1) && tensor_is_default_dim_order(out2) &&
               HasData(input);
  ssize_t rows = 1;
  ssize_t length = 1;
  Shape statistics = ShapeOf(input);
  for (std::size_t d = 0; d < rank && sound; ++d) {
    const ssize_t size = input.sizes()[d];
    if (d < rank - normalized) {
      rows *= size;
    } else {
      sound = normalized_shape[d - (rank - normalized)] == size;
      length *= size;
      statistics.sizes[d] = 1;
    }
  }
  if (!sound || !IsParameter(weight, length, dtype) || !IsParameter(bias, length, dtype) ||
      !Resize(ShapeOf(input), out0) || !Resize(statistics, out1) || !Resize(statistics, out2)) {
    Refuse(context);
    return results;
  }
  WithDtype<kDtypes>(dtype, [&](auto type) {
    using T = decltype(type);
    NormalizeRows<T>(input, DataOrNull<T>(weight), DataOrNull<T>(bias), eps, rows, length, out0,
                     out1, out2);
  });
  return results;
}

}  // namespace native
}  // namespace executor
}  // namespace torch
