// SPDX-License-Identifier: Apache-2.0
//
// _cdist_forward.out: the p-norm distance of each row of one matrix to each row of another.
// Signature derived from kernels.yaml.
#include <cmath>
#include <cstdint>
#include <optional>

#include <executorch/runtime/kernel/kernel_includes.h>

#include "pilotlight/kernels/dtype.h"
#include "pilotlight/kernels/shape.h"
#include "pilotlight/kernels/view.h"

namespace torch {
namespace executor {
namespace native {
namespace {

using namespace pilotlight::kernels;  // NOLINT(google-build-using-namespace)

constexpr DtypeSet kFloatAndDouble = SetOf(ScalarType::Float, ScalarType::Double);

template <typename T>
struct Row {
  const T* data;
  ssize_t stride;
};

// Folds the absolute differences of two rows: starts at 0, then sum = add(sum, difference).
template <typename T, typename Add>
T Fold(Row<T> a, Row<T> b, ssize_t length, Add add) {
  T sum{};
  for (ssize_t i = 0; i < length; ++i) {
    sum = add(sum, std::abs(a.data[i * a.stride] - b.data[i * b.stride]));
  }
  return sum;
}

template <typename T>
T Distance(Row<T> a, Row<T> b, ssize_t length, T p) {
  if (p == 0) {
    // Counts the differences. The fold of NaN is NaN.
    return Fold(a, b, length, [](T sum, T d) { return sum + (std::isnan(d) ? d : T(d != 0)); });
  }
  if (p == 1) return Fold(a, b, length, [](T sum, T d) { return sum + d; });
  if (p == 2) return std::sqrt(Fold(a, b, length, [](T sum, T d) { return sum + d * d; }));
  // The largest difference skips NaN, as PyTorch's does.
  if (std::isinf(p)) return Fold(a, b, length, [](T most, T d) { return d > most ? d : most; });
  return std::pow(Fold(a, b, length, [p](T sum, T d) { return sum + std::pow(d, p); }), 1 / p);
}

// The tensors as loops over the result's positions: `a` stands still along the last dimension and
// `b` along the dimension before it. Each of them then points to the start of a row.
struct Plan {
  View a;
  View b;
  View out;
  ssize_t length;
  ssize_t a_stride;
  ssize_t b_stride;
};

// Broadcasts the dimensions before the last two. False if they do not match.
bool BatchOf(const Tensor& x1, const Tensor& x2, Shape& batch) {
  const ssize_t rank = x1.dim() > x2.dim() ? x1.dim() : x2.dim();
  for (ssize_t d = 0; d < rank - 2; ++d) {
    const ssize_t d1 = d - (rank - x1.dim());
    const ssize_t d2 = d - (rank - x2.dim());
    const ssize_t size1 = d1 < 0 ? 1 : x1.size(d1);
    const ssize_t size2 = d2 < 0 ? 1 : x2.size(d2);
    if ((size1 != size2 && size1 != 1 && size2 != 1) || !batch.Append(size1 == 1 ? size2 : size1)) {
      return false;
    }
  }
  return true;
}

bool MakePlan(const Tensor& x1, const Tensor& x2, Tensor& out, Plan& plan) {
  Shape batch;
  if (x1.dim() < 2 || x2.dim() < 2 || !HasData(x1) || !HasData(x2) || !BatchOf(x1, x2, batch)) {
    return false;
  }
  const ssize_t rows1 = x1.size(x1.dim() - 2);
  const ssize_t rows2 = x2.size(x2.dim() - 2);
  plan.length = x1.size(x1.dim() - 1);
  if (x2.size(x2.dim() - 1) != plan.length) return false;
  Shape first = batch;
  Shape second = batch;
  Shape result = batch;
  if (!first.Append(rows1) || !first.Append(plan.length) || !second.Append(rows2) ||
      !second.Append(plan.length) || !result.Append(rows1) || !result.Append(rows2) ||
      !Resize(result, out)) {
    return false;
  }
  plan.a = BroadcastView(x1, first);
  plan.b = BroadcastView(x2, second);
  plan.out = ViewOf(out);
  const std::size_t last = result.rank - 1;
  plan.a_stride = plan.a.strides[last];
  plan.b_stride = plan.b.strides[last];
  plan.a.strides[last] = 0;
  plan.b.strides[last] = plan.b.strides[last - 1];
  plan.b.strides[last - 1] = 0;
  return true;
}

template <typename T>
void ComputeDistances(const Plan& plan, T p) {
  const View& out = plan.out;
  SizesType at[kMaxRank] = {};
  std::size_t d = 0;
  do {
    ssize_t a = 0;
    ssize_t b = 0;
    ssize_t to = 0;
    for (d = 0; d < out.rank; ++d) {
      a += static_cast<ssize_t>(at[d]) * plan.a.strides[d];
      b += static_cast<ssize_t>(at[d]) * plan.b.strides[d];
      to += static_cast<ssize_t>(at[d]) * out.strides[d];
    }
    const Row<T> row1{reinterpret_cast<const T*>(plan.a.data) + a, plan.a_stride};
    const Row<T> row2{reinterpret_cast<const T*>(plan.b.data) + b, plan.b_stride};
    reinterpret_cast<T*>(out.data)[to] = Distance(row1, row2, plan.length, p);
    while (d > 0 && ++at[d - 1] == out.sizes[d - 1]) at[--d] = 0;
  } while (d > 0);
}

}  // namespace

// `compute_mode` chooses between PyTorch's ways to compute p = 2. There is one way here.
Tensor& _cdist_forward_out(KernelRuntimeContext& context, const Tensor& x1, const Tensor& x2,
                           double p, std::optional<int64_t> compute_mode, Tensor& out) {
  constexpr auto kDtypes = Selected("aten::_cdist_forward.out") & kFloatAndDouble;
  Plan plan{};
  const bool sound = p >= 0 && (!compute_mode || (*compute_mode >= 0 && *compute_mode <= 2)) &&
                     x1.scalar_type() == out.scalar_type() &&
                     x2.scalar_type() == out.scalar_type() &&
                     Contains(kDtypes, out.scalar_type()) && MakePlan(x1, x2, out, plan);
  if (!sound) {
    Refuse(context);
    return out;
  }
  if (out.numel() == 0) return out;
  WithDtype<kDtypes>(out.scalar_type(), [&](auto type) {
    using T = decltype(type);
    ComputeDistances<T>(plan, static_cast<T>(p));
  });
  return out;
}

}  // namespace native
}  // namespace executor
}  // namespace torch
