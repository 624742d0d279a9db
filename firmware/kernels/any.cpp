// SPDX-License-Identifier: Apache-2.0
//
// any.all_out, any.out, any.dims_out: whether some element is not 0. NaN counts as not 0.
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <tuple>
#include <type_traits>

#include <executorch/runtime/kernel/kernel_includes.h>

#include "pilotlight/kernels/axes.h"
#include "pilotlight/kernels/dtype.h"

namespace torch {
namespace executor {
namespace native {
namespace {

using namespace pilotlight::kernels;  // NOLINT(google-build-using-namespace)

template <DtypeSet kDtypes>
bool Any(const Tensor& self, std::optional<ArrayRef<int64_t>> dims, bool keepdim, Tensor& out) {
  // Both dtypes have one byte; the result is 0 or 1.
  if (out.scalar_type() != ScalarType::Bool && out.scalar_type() != ScalarType::Byte) return false;
  Reduction plan;
  if (!PlanReduction(self, dims, keepdim, out, plan, NoDims::kNone)) return false;
  auto* const results = static_cast<std::uint8_t*>(out.mutable_data_ptr());
  return WithDtype<kDtypes>(self.scalar_type(), [&](auto type) {
    using T = decltype(type);
    ForEachPoint(plan.kept, [&](ssize_t from, ssize_t to) {
      const T* const values = self.const_data_ptr<T>() + from;
      bool any = false;
      ForEachRun(plan.reduced, [&](ssize_t offset, ssize_t count, ssize_t stride) {
        for (ssize_t i = 0; i < count && !any; ++i) {
          any = Convert<bool>(values[offset + i * stride]);
        }
      });
      results[to] = any ? 1 : 0;
    });
  });
}

}  // namespace

Tensor& any_all_out(KernelRuntimeContext& context, const Tensor& self, Tensor& out) {
  constexpr auto kDtypes = Selected("aten::any.all_out");
  if (!Any<kDtypes>(self, std::nullopt, false, out)) Refuse(context);
  return out;
}

Tensor& any_out(KernelRuntimeContext& context, const Tensor& self, int64_t dim, bool keepdim,
                Tensor& out) {
  constexpr auto kDtypes = Selected("aten::any.out");
  if (!Any<kDtypes>(self, ArrayRef<int64_t>(dim), keepdim, out)) Refuse(context);
  return out;
}

Tensor& any_dims_out(KernelRuntimeContext& context, const Tensor& self,
                     std::optional<ArrayRef<int64_t>> dim, bool keepdim, Tensor& out) {
  constexpr auto kDtypes = Selected("aten::any.dims_out");
  if (!Any<kDtypes>(self, dim, keepdim, out)) Refuse(context);
  return out;
}

}  // namespace native
}  // namespace executor
}  // namespace torch
