// SPDX-License-Identifier: Apache-2.0
//
// amax, amin, max, min, argmax, argmin. NaN counts as the largest and the smallest value. Of equal
// values, the first is found.
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

// The largest (or smallest) element of a reduction: its value and its index.
template <typename T>
struct Extreme {
  T value;
  std::int64_t index;
};

// Precondition: there is at least one element.
template <bool kLargest, typename T>
Extreme<T> Find(const T* values, const Axes& axes) {
  Extreme<T> found{values[0], 0};
  std::int64_t index = 0;
  ForEachRun(axes, [&](ssize_t offset, ssize_t count, ssize_t stride) {
    for (ssize_t i = 0; i < count; ++i, ++index) {
      const T value = values[offset + i * stride];
      // This form of the comparison lets NaN replace any value, and lets nothing replace NaN.
      const bool worse = kLargest ? value <= found.value : value >= found.value;
      if (!worse && !IsNotANumber(found.value)) found = {value, index};
    }
  });
  return found;
}

// `values` and `indices` are optional. If both are given, they have the same shape and dim order.
template <bool kLargest, DtypeSet kDtypes>
bool FindAll(const Tensor& self, std::optional<ArrayRef<int64_t>> dims, bool keepdim,
             Tensor* values, Tensor* indices) {
  Reduction plan;
  if (values != nullptr && values->scalar_type() != self.scalar_type()) return false;
  if (indices != nullptr && (indices->scalar_type() != ScalarType::Long ||
                             !PlanReduction(self, dims, keepdim, *indices, plan))) {
    return false;
  }
  if (values != nullptr) {
    plan = {};
    if (!PlanReduction(self, dims, keepdim, *values, plan) ||
        (indices != nullptr && !tensors_have_same_dim_order(*values, *indices))) {
      return false;
    }
  }
  if (plan.reduced.Count() == 0) return false;
  return WithDtype<kDtypes>(self.scalar_type(), [&](auto type) {
    using T = decltype(type);
    ForEachPoint(plan.kept, [&](ssize_t from, ssize_t to) {
      const Extreme<T> found = Find<kLargest>(self.const_data_ptr<T>() + from, plan.reduced);
      if (values != nullptr) values->mutable_data_ptr<T>()[to] = found.value;
      if (indices != nullptr) indices->mutable_data_ptr<std::int64_t>()[to] = found.index;
    });
  });
}

std::optional<ArrayRef<int64_t>> OneOrAll(const std::optional<int64_t>& dim) {
  if (!dim) return std::nullopt;
  return ArrayRef<int64_t>(*dim);
}

}  // namespace

Tensor& amax_out(KernelRuntimeContext& context, const Tensor& self, ArrayRef<int64_t> dim,
                 bool keepdim, Tensor& out) {
  constexpr auto kDtypes = Selected("aten::amax.out");
  if (!FindAll<true, kDtypes>(self, dim, keepdim, &out, nullptr)) Refuse(context);
  return out;
}

Tensor& amin_out(KernelRuntimeContext& context, const Tensor& self, ArrayRef<int64_t> dim,
                 bool keepdim, Tensor& out) {
  constexpr auto kDtypes = Selected("aten::amin.out");
  if (!FindAll<false, kDtypes>(self, dim, keepdim, &out, nullptr)) Refuse(context);
  return out;
}

std::tuple<Tensor&, Tensor&> max_out(KernelRuntimeContext& context, const Tensor& self, int64_t dim,
                                     bool keepdim, Tensor& max, Tensor& max_values) {
  constexpr auto kDtypes = Selected("aten::max.dim_max");
  if (!FindAll<true, kDtypes>(self, ArrayRef<int64_t>(dim), keepdim, &max, &max_values)) {
    Refuse(context);
  }
  return {max, max_values};
}

std::tuple<Tensor&, Tensor&> min_out(KernelRuntimeContext& context, const Tensor& self, int64_t dim,
                                     bool keepdim, Tensor& min, Tensor& min_indices) {
  constexpr auto kDtypes = Selected("aten::min.dim_min");
  if (!FindAll<false, kDtypes>(self, ArrayRef<int64_t>(dim), keepdim, &min, &min_indices)) {
    Refuse(context);
  }
  return {min, min_indices};
}

Tensor& max_unary_out(KernelRuntimeContext& context, const Tensor& self, Tensor& out) {
  constexpr auto kDtypes = Selected("aten::max.unary_out");
  if (!FindAll<true, kDtypes>(self, std::nullopt, false, &out, nullptr)) Refuse(context);
  return out;
}

Tensor& min_unary_out(KernelRuntimeContext& context, const Tensor& self, Tensor& out) {
  constexpr auto kDtypes = Selected("aten::min.unary_out");
  if (!FindAll<false, kDtypes>(self, std::nullopt, false, &out, nullptr)) Refuse(context);
  return out;
}

Tensor& argmax_out(KernelRuntimeContext& context, const Tensor& self, std::optional<int64_t> dim,
                   bool keepdim, Tensor& out) {
  constexpr auto kDtypes = Selected("aten::argmax.out") & kNumbers;
  if (!FindAll<true, kDtypes>(self, OneOrAll(dim), keepdim, nullptr, &out)) Refuse(context);
  return out;
}

Tensor& argmin_out(KernelRuntimeContext& context, const Tensor& self, std::optional<int64_t> dim,
                   bool keepdim, Tensor& out) {
  constexpr auto kDtypes = Selected("aten::argmin.out") & kNumbers;
  if (!FindAll<false, kDtypes>(self, OneOrAll(dim), keepdim, nullptr, &out)) Refuse(context);
  return out;
}

}  // namespace native
}  // namespace executor
}  // namespace torch
