// SPDX-License-Identifier: Apache-2.0
//
// _softmax.out, _log_softmax.out.
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

// Half precision is computed in single precision and rounded once.
template <typename T>
using Working = std::conditional_t<std::is_same_v<T, double>, double, float>;

template <typename T>
Working<T> Largest(const T* in, const Lines& lines) {
  auto largest = -std::numeric_limits<Working<T>>::infinity();
  for (ssize_t i = 0; i < lines.in_size; ++i) {
    const auto value = static_cast<Working<T>>(in[i * lines.in_stride]);
    if (!(value <= largest)) largest = value;  // Also for NaN; then every result is NaN.
  }
  return largest;
}

template <typename T>
void SoftmaxLine(const T* in, T* out, const Lines& lines) {
  using W = Working<T>;
  const W largest = Largest(in, lines);
  W sum = 0;
  for (ssize_t i = 0; i < lines.in_size; ++i) {
    const W power = std::exp(static_cast<W>(in[i * lines.in_stride]) - largest);
    sum += power;
    if constexpr (std::is_same_v<T, W>) out[i * lines.out_stride] = power;
  }
  const W factor = 1 / sum;
  for (ssize_t i = 0; i < lines.in_size; ++i) {
    if constexpr (std::is_same_v<T, W>) {
      out[i * lines.out_stride] *= factor;
    } else {
      const W power = std::exp(static_cast<W>(in[i * lines.in_stride]) - largest);
      out[i * lines.out_stride] = T(power * factor);
    }
  }
}

template <typename T>
void LogSoftmaxLine(const T* in, T* out, const Lines& lines) {
  using W = Working<T>;
  const W largest = Largest(in, lines);
  W sum = 0;
  for (ssize_t i = 0; i < lines.in_size; ++i) {
    sum += std::exp(static_cast<W>(in[i * lines.in_stride]) - largest);
  }
  const W log_sum = std::log(sum);
  for (ssize_t i = 0; i < lines.in_size; ++i) {
    out[i * lines.out_stride] = T(static_cast<W>(in[i * lines.in_stride]) - largest - log_sum);
  }
}

template <DtypeSet kDtypes, bool kLog>
bool Softmax(const Tensor& self, int64_t dim, bool half_to_float, Tensor& out) {
  std::size_t along = 0;
  if (half_to_float || out.scalar_type() != self.scalar_type() || !HasData(self) ||
      !NormaliseDim(dim, static_cast<std::size_t>(self.dim()), along) ||
      !Contains(kDtypes, self.scalar_type()) || !Resize(ShapeOf(self), out)) {
    return false;
  }
  const Lines lines = LinesAlong(along, self, out);
  return WithDtype<kDtypes>(self.scalar_type(), [&](auto type) {
    using T = decltype(type);
    ForEachPoint(lines.start, [&](ssize_t from, ssize_t to) {
      const T* const in = self.const_data_ptr<T>() + from;
      T* const result = out.mutable_data_ptr<T>() + to;
      if constexpr (kLog) {
        LogSoftmaxLine(in, result, lines);
      } else {
        SoftmaxLine(in, result, lines);
      }
    });
  });
}

}  // namespace

Tensor& softmax_out(KernelRuntimeContext& context, const Tensor& self, int64_t dim,
                    bool half_to_float, Tensor& out) {
  constexpr auto kDtypes = Selected("aten::_softmax.out") & kFloats;
  if (!Softmax<kDtypes, false>(self, dim, half_to_float, out)) Refuse(context);
  return out;
}

Tensor& log_softmax_out(KernelRuntimeContext& context, const Tensor& self, int64_t dim,
                        bool half_to_float, Tensor& out) {
  constexpr auto kDtypes = Selected("aten::_log_softmax.out") & kFloats;
  if (!Softmax<kDtypes, true>(self, dim, half_to_float, out)) Refuse(context);
  return out;
}

}  // namespace native
}  // namespace executor
}  // namespace torch
