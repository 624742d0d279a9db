// SPDX-License-Identifier: Apache-2.0
//
// Operators that compute each element of the output from one element of each operand, with
// broadcast and promotion of dtypes.
//
// One driver walks the memory for all of them. There are three compute types: float (for half and
// float), double, and int64_t (for integers and bool). The driver converts a short run of each
// operand to the compute type, calls the operator's function on these arrays, and converts the
// result to the output's dtype. An operator therefore needs one small loop per compute type, not
// one per combination of dtypes. Dense operands that already have the compute type are not copied.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include <executorch/runtime/kernel/kernel_includes.h>

#include "pilotlight/kernels/dtype.h"
#include "pilotlight/kernels/selection.h"
#include "pilotlight/kernels/shape.h"
#include "pilotlight/kernels/view.h"

namespace pilotlight::kernels {

using ::executorch::aten::Scalar;

inline constexpr std::size_t kMaxOperands = 4;

// A tensor, or a number, which acts as a tensor filled with that number. Borrowed for the call.
class Operand {
 public:
  Operand(const Tensor& tensor) : tensor_(&tensor) {}  // NOLINT: implicit by design
  Operand(const Scalar& scalar);                       // NOLINT: implicit by design

  const Tensor* tensor() const { return tensor_; }
  bool is_integral() const { return is_integral_; }
  bool is_bool() const { return is_bool_; }

  // The number, converted to compute type C. Precondition: the operand is not a tensor.
  template <typename C>
  C Value() const {
    return is_integral_ ? static_cast<C>(integer_) : Convert<C>(number_);
  }

 private:
  const Tensor* tensor_ = nullptr;
  bool is_integral_ = false;
  bool is_bool_ = false;
  std::int64_t integer_ = 0;
  double number_ = 0;
};

struct Operands {
  const Operand* items;
  std::size_t count;

  template <std::size_t N>
  Operands(const Operand (&array)[N]) : items(array), count(N) {  // NOLINT: implicit by design
    static_assert(N <= kMaxOperands);
  }
};

// The dtype that PyTorch computes in (torch.result_type). The widest dtype among tensors with
// dimensions counts first. Tensors without dimensions, and then numbers, count only if their kind
// is higher (bool < integer < float).
ScalarType ResultType(const Operands& operands);

// The same, but float if the result is not a floating-point dtype. For functions without integer
// results.
ScalarType FloatResultType(const Operands& operands);

// Whether PyTorch can store a result of dtype `from` in an output of dtype `to`.
bool CanCast(ScalarType from, ScalarType to);

// Reads `count` numbers of a compute type from each operand's array, and writes `count` results.
using Function = void (*)(const void* const* in, void* out, std::size_t count);

// Broadcasts, resizes `out` and computes in C: float, double or int64_t. `dtype` is the dtype that
// the operands promote to; C may be wider. If the shapes do not match or `out` cannot hold the
// result, it marks the call as failed and returns false.
template <typename C>
bool Compute(KernelRuntimeContext& context, Function function, ScalarType dtype,
             const Operands& operands, Tensor& out);

template <typename Op, typename C, std::size_t... I>
void ApplyToRun(const void* const* in, C* out, std::size_t count, std::index_sequence<I...>) {
  for (std::size_t i = 0; i < count; ++i) {
    out[i] = static_cast<C>(Op::Of(static_cast<const C*>(in[I])[i]...));
  }
}

template <typename Op, typename C, std::size_t N>
void Apply(const void* const* in, void* out, std::size_t count) {
  ApplyToRun<Op, C>(in, static_cast<C*>(out), count, std::make_index_sequence<N>{});
}

// Computes Op::Of(C...) in the compute type for `dtype`. kDtypes are the dtypes that the operator
// supports and the image needs. For any other dtype the call fails.
template <typename Op, DtypeSet kDtypes, std::size_t N>
bool ComputeAs(KernelRuntimeContext& context, ScalarType dtype, const Operand (&operands)[N],
               Tensor& out) {
  if constexpr ((kDtypes & SetOf(ScalarType::Float, ScalarType::Half)) != 0) {
    if (dtype == ScalarType::Float || dtype == ScalarType::Half) {
      return Compute<float>(context, Apply<Op, float, N>, dtype, operands, out);
    }
  }
  if constexpr (Contains(kDtypes, ScalarType::Double)) {
    if (dtype == ScalarType::Double) {
      return Compute<double>(context, Apply<Op, double, N>, dtype, operands, out);
    }
  }
  if constexpr ((kDtypes & kIntegral) != 0) {
    if (Contains(kIntegral, dtype)) {
      return Compute<std::int64_t>(context, Apply<Op, std::int64_t, N>, dtype, operands, out);
    }
  }
  return Refuse(context);
}

}  // namespace pilotlight::kernels
