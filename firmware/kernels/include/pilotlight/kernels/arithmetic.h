// SPDX-License-Identifier: Apache-2.0
//
// Promotion and computation for operators on two numbers: arithmetic.cpp and division.cpp.
#pragma once

#include <cstddef>

#include "pilotlight/kernels/elementwise.h"

namespace pilotlight::kernels {

// Computes Op::Of() in `dtype`. Fails if `out` cannot hold a result of this dtype.
template <typename Op, DtypeSet kDtypes, std::size_t N>
Tensor& ComputeInto(KernelRuntimeContext& context, ScalarType dtype, const Operand (&operands)[N],
                    Tensor& out) {
  if (!CanCast(dtype, out.scalar_type())) {
    Refuse(context);
    return out;
  }
  ComputeAs<Op, kDtypes>(context, dtype, operands, out);
  return out;
}

// Computes in the dtype that both operands promote to.
template <typename Op, DtypeSet kDtypes>
Tensor& Promoted(KernelRuntimeContext& context, const Operand& a, const Operand& b, Tensor& out) {
  const Operand operands[] = {a, b};
  return ComputeInto<Op, kDtypes>(context, ResultType(operands), operands, out);
}

// Computes in a floating-point dtype.
template <typename Op, DtypeSet kDtypes>
Tensor& AsFloat(KernelRuntimeContext& context, const Operand& a, const Operand& b, Tensor& out) {
  const Operand operands[] = {a, b};
  return ComputeInto<Op, kDtypes & kFloats>(context, FloatResultType(operands), operands, out);
}

}  // namespace pilotlight::kernels
