// SPDX-License-Identifier: Apache-2.0
//
// prod.out, prod.int_out.
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

template <DtypeSet kDtypes, typename In, typename Wide>
void MultiplyAll(const Tensor& self, const Reduction& plan, Tensor& out) {
  ForEachPoint(plan.kept, [&](ssize_t from, ssize_t to) {
    const In* const values = self.const_data_ptr<In>() + from;
    Wide product = 1;
    ForEachRun(plan.reduced, [&](ssize_t offset, ssize_t count, ssize_t stride) {
      for (ssize_t i = 0; i < count; ++i) {
        product = Times(product, Convert<Wide>(values[offset + i * stride]));
      }
    });
    Store<kDtypes>(product, out, to);
  });
}

template <DtypeSet kDtypes>
bool Multiply(const Tensor& self, std::optional<ArrayRef<int64_t>> dims, bool keepdim,
              std::optional<ScalarType> dtype, Tensor& out) {
  Reduction plan;
  if (dtype.value_or(out.scalar_type()) != out.scalar_type() ||
      !Contains(kDtypes, self.scalar_type()) || !Contains(kDtypes, out.scalar_type()) ||
      !PlanReduction(self, dims, keepdim, out, plan)) {
    return false;
  }
  WithDtype<kDtypes>(self.scalar_type(), [&](auto in) {
    WithAccumulator<kDtypes>(out.scalar_type(), [&](auto wide) {
      MultiplyAll<kDtypes, decltype(in), decltype(wide)>(self, plan, out);
    });
  });
  return true;
}

}  // namespace

Tensor& prod_out(KernelRuntimeContext& context, const Tensor& self, std::optional<ScalarType> dtype,
                 Tensor& out) {
  constexpr auto kDtypes = Selected("aten::prod.out");
  if (!Multiply<kDtypes>(self, std::nullopt, false, dtype, out)) Refuse(context);
  return out;
}

Tensor& prod_int_out(KernelRuntimeContext& context, const Tensor& self, int64_t dim, bool keepdim,
                     std::optional<ScalarType> dtype, Tensor& out) {
  constexpr auto kDtypes = Selected("aten::prod.int_out");
  if (!Multiply<kDtypes>(self, ArrayRef<int64_t>(dim), keepdim, dtype, out)) Refuse(context);
  return out;
}

}  // namespace native
}  // namespace executor
}  // namespace torch
