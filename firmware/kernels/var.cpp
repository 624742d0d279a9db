// SPDX-License-Identifier: Apache-2.0
//
// var.out, var.correction_out, var_mean.correction_out: in two passes, in double precision.
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
#include "pilotlight/kernels/scalar.h"

namespace torch {
namespace executor {
namespace native {
namespace {

using namespace pilotlight::kernels;  // NOLINT(google-build-using-namespace)

struct Moments {
  double mean;
  double squares;  // Sum of squared differences from the mean.
};

template <typename T>
Moments MomentsOf(const T* values, const Axes& axes) {
  double sum = 0;
  ForEachRun(axes, [&](ssize_t offset, ssize_t count, ssize_t stride) {
    for (ssize_t i = 0; i < count; ++i) sum += Convert<double>(values[offset + i * stride]);
  });
  const double mean = sum / static_cast<double>(axes.Count());
  double squares = 0;
  ForEachRun(axes, [&](ssize_t offset, ssize_t count, ssize_t stride) {
    for (ssize_t i = 0; i < count; ++i) {
      const double difference = Convert<double>(values[offset + i * stride]) - mean;
      squares += difference * difference;
    }
  });
  return {mean, squares};
}

// The divisor is the number of elements minus `correction`, but at least 0. A divisor of 0 gives
// infinity or NaN, as in PyTorch. `mean` may be null.
template <DtypeSet kDtypes>
bool Variance(const Tensor& self, std::optional<ArrayRef<int64_t>> dims, double correction,
              bool keepdim, Tensor& out, Tensor* mean) {
  if (out.scalar_type() != self.scalar_type()) return false;
  Reduction plan;
  if (mean != nullptr && (mean->scalar_type() != self.scalar_type() ||
                          !PlanReduction(self, dims, keepdim, *mean, plan))) {
    return false;
  }
  plan = {};
  if (!PlanReduction(self, dims, keepdim, out, plan) ||
      (mean != nullptr && !tensors_have_same_dim_order(out, *mean))) {
    return false;
  }
  const double divisor = std::fmax(0.0, static_cast<double>(plan.reduced.Count()) - correction);
  return WithDtype<kDtypes>(self.scalar_type(), [&](auto type) {
    using T = decltype(type);
    ForEachPoint(plan.kept, [&](ssize_t from, ssize_t to) {
      const Moments moments = MomentsOf(self.const_data_ptr<T>() + from, plan.reduced);
      out.mutable_data_ptr<T>()[to] = Convert<T>(moments.squares / divisor);
      if (mean != nullptr) mean->mutable_data_ptr<T>()[to] = Convert<T>(moments.mean);
    });
  });
}

double CorrectionOf(const std::optional<Scalar>& correction) {
  return correction ? ScalarAs<double>(*correction) : 1.0;
}

}  // namespace

Tensor& var_out(KernelRuntimeContext& context, const Tensor& self,
                std::optional<ArrayRef<int64_t>> dim, bool unbiased, bool keepdim, Tensor& out) {
  constexpr auto kDtypes = Selected("aten::var.out") & kFloats;
  if (!Variance<kDtypes>(self, dim, unbiased ? 1.0 : 0.0, keepdim, out, nullptr)) Refuse(context);
  return out;
}

Tensor& var_correction_out(KernelRuntimeContext& context, const Tensor& self,
                           std::optional<ArrayRef<int64_t>> dim,
                           const std::optional<Scalar>& correction, bool keepdim, Tensor& out) {
  constexpr auto kDtypes = Selected("aten::var.correction_out") & kFloats;
  if (!Variance<kDtypes>(self, dim, CorrectionOf(correction), keepdim, out, nullptr)) {
    Refuse(context);
  }
  return out;
}

std::tuple<Tensor&, Tensor&> var_mean_correction_out(KernelRuntimeContext& context,
                                                     const Tensor& self,
                                                     std::optional<ArrayRef<int64_t>> dim,
                                                     const std::optional<Scalar>& correction,
                                                     bool keepdim, Tensor& out0, Tensor& out1) {
  constexpr auto kDtypes = Selected("aten::var_mean.correction_out") & kFloats;
  if (!Variance<kDtypes>(self, dim, CorrectionOf(correction), keepdim, out0, &out1)) {
    Refuse(context);
  }
  return {out0, out1};
}

}  // namespace native
}  // namespace executor
}  // namespace torch
