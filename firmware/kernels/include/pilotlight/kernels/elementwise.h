// SPDX-License-Identifier: Apache-2.0
//
// Operators that compute each element of the output from one element of each operand,
// with broadcast and promotion of dtypes.
//
// One driver walks the memory of all of them. It brings a short run of each operand into one
// of three types to compute in (float for half and float, double, int64_t for integers and
// bool), calls the operator's function on arrays of it, and converts the run to the output's
// dtype. So an operator costs one small loop for each type to compute in, not one for each
// combination of dtypes; operands that have the type and lie densely are not copied.
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

// A tensor, or a number that stands for a tensor of it. Borrowed for the call.
class Operand {
 public:
  Operand(const Tensor& tensor) : tensor_(&tensor) {}  // NOLINT: implicit by design
  Operand(const Scalar& scalar);                       // NOLINT: implicit by design

  const Tensor* tensor() const { return tensor_; }
  bool is_integral() const { return is_integral_; }
  bool is_bool() const { return is_bool_; }

  // The number in a type to compute in. Precondition: not a tensor.
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

// The dtype that PyTorch computes in (torch.result_type): the largest among the tensors; tensors
// without dimensions, and after them numbers, count only when they are of a higher kind
// (bool < integer < float) than all before.
ScalarType ResultType(const Operands& operands);

// The same, or float when that is no float: for functions that have no integer results.
ScalarType FloatResultType(const Operands& operands);

// Whether PyTorch stores a result of dtype `from` in an output of dtype `to`.
bool CanCast(ScalarType from, ScalarType to);

// Reads `count` numbers in a type to compute in from each operand's array, writes as many.
using Function = void (*)(const void* const* in, void* out, std::size_t count);

// Broadcasts, resizes `out`, computes in C: float, double or int64_t. False, with the call marked
// as failed, when the shapes do not go together or `out` cannot hold the result. `dtype` is what
// the operands promote to, which C may be wider than.
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

// Computes Op::Of(C...) in the type that belongs to `dtype`, for the dtypes in kDtypes alone:
// a set of what the operator can, and what the image needs of it. Fails the call for others.
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
