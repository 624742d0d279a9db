// SPDX-License-Identifier: Apache-2.0
//
// sum.IntList_out, mean.out, mean.dtype_out.
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <tuple>
#include <type_traits>

#include <executorch/runtime/kernel/kernel_includes.h>

#include "pilotlight/kernels/accumulate.h"
#include "pilotlight/kernels/axes.h"
#include "pilotlight/kernels/dtype.h"

namespace torch {
namespace executor {
namespace native {
namespace {

using namespace pilotlight::kernels;  // NOLINT(google-build-using-namespace)

template <typename Wide, typename In>
Wide SumOf(const In* values, const Axes& axes) {
  Wide sum = 0;
  ForEachRun(axes, [&](ssize_t offset, ssize_t count, ssize_t stride) {
    for (ssize_t i = 0; i < count; ++i) sum = Plus(sum, Convert<Wide>(values[offset + i * stride]));
  });
  return sum;
}

// The accumulator type follows the output's dtype, because PyTorch converts to that dtype first.
template <DtypeSet kDtypes, typename In, typename Wide>
void SumAll(const Tensor& self, const Reduction& plan, bool mean, Tensor& out) {
  const In* const values = self.const_data_ptr<In>();
  ForEachPoint(plan.kept, [&](ssize_t from, ssize_t to) {
    Wide sum = SumOf<Wide>(values + from, plan.reduced);
    if constexpr (std::is_same_v<Wide, double>) {
      if (mean) sum /= static_cast<double>(plan.reduced.Count());
    }
    Store<kDtypes>(sum, out, to);
  });
}

template <DtypeSet kDtypes>
bool Sum(const Tensor& self, std::optional<ArrayRef<int64_t>> dims, bool keepdim, bool mean,
         Tensor& out) {
  Reduction plan;
  if ((mean && !Contains(kFloats, out.scalar_type())) || !Contains(kDtypes, self.scalar_type()) ||
      !Contains(kDtypes, out.scalar_type()) || !PlanReduction(self, dims, keepdim, out, plan)) {
    return false;
  }
  WithDtype<kDtypes>(self.scalar_type(), [&](auto in) {
    WithAccumulator<kDtypes>(out.scalar_type(), [&](auto wide) {
      SumAll<kDtypes, decltype(in), decltype(wide)>(self, plan, mean, out);
    });
  });
  return true;
}

}  // namespace

Tensor& sum_dim_out(KernelRuntimeContext& context, const Tensor& self,
                    std::optional<ArrayRef<int64_t>> dim, bool keepdim,
                    std::optional<ScalarType> dtype, Tensor& out) {
  constexpr auto kDtypes = Selected("aten::sum.IntList_out");
  if (dtype.value_or(out.scalar_type()) != out.scalar_type() ||
      !Sum<kDtypes>(self, dim, keepdim, false, out)) {
    Refuse(context);
  }
  return out;
}

Tensor& mean_dim_out(KernelRuntimeContext& context, const Tensor& self,
                     std::optional<ArrayRef<int64_t>> dim, bool keepdim,
                     std::optional<ScalarType> dtype, Tensor& out) {
  constexpr auto kDtypes = Selected("aten::mean.out");
  if (dtype.value_or(out.scalar_type()) != out.scalar_type() ||
      !Sum<kDtypes>(self, dim, keepdim, true, out)) {
    Refuse(context);
  }
  return out;
}

Tensor& mean_dtype_out(KernelRuntimeContext& context, const Tensor& self,
                       std::optional<ScalarType> dtype, Tensor& out) {
  constexpr auto kDtypes = Selected("aten::mean.dtype_out");
  if (dtype.value_or(out.scalar_type()) != out.scalar_type() ||
      !Sum<kDtypes>(self, std::nullopt, false, true, out)) {
    Refuse(context);
  }
  return out;
}

}  // namespace native
}  // namespace executor
}  // namespace torch
