// SPDX-License-Identifier: Apache-2.0
//
// exp, log, sqrt, sin, tanh, …: functions of one operand with a floating-point result. These
// functions use the C library in the precision of the dtype. Signatures derived from kernels.yaml.
#include <cmath>

#include "pilotlight/kernels/elementwise.h"

namespace torch {
namespace executor {
namespace native {
namespace {

using pilotlight::kernels::CanCast;
using pilotlight::kernels::ComputeAs;
using pilotlight::kernels::DtypeSet;
using pilotlight::kernels::FloatResultType;
using pilotlight::kernels::kFloats;
using pilotlight::kernels::Operand;
using pilotlight::kernels::Refuse;
using pilotlight::kernels::Selected;

template <typename Op, DtypeSet kDtypes>
Tensor& FloatOfOne(KernelRuntimeContext& context, const Tensor& self, Tensor& out) {
  const Operand operands[] = {self};
  const ScalarType dtype = FloatResultType(operands);
  if (!CanCast(dtype, out.scalar_type())) {
    Refuse(context);
  } else {
    ComputeAs<Op, kDtypes & kFloats>(context, dtype, operands, out);
  }
  return out;
}

}  // namespace

// Defines an operator that computes `expression` from `a`. The type of `a` is C: float or double.
#define PILOTLIGHT_FUNCTION(name, expression)                                                \
  namespace {                                                                                \
  struct name##_function {                                                                   \
    template <typename C>                                                                    \
    static C Of(C a) {                                                                       \
      return expression;                                                                     \
    }                                                                                        \
  };                                                                                         \
  }                                                                                          \
  Tensor& name##_out(KernelRuntimeContext& context, const Tensor& self, Tensor& out) {       \
    return FloatOfOne<name##_function, Selected("aten::" #name ".out")>(context, self, out); \
  }

PILOTLIGHT_FUNCTION(exp, std::exp(a))
PILOTLIGHT_FUNCTION(expm1, std::expm1(a))
PILOTLIGHT_FUNCTION(log, std::log(a))
PILOTLIGHT_FUNCTION(log1p, std::log1p(a))
PILOTLIGHT_FUNCTION(log2, std::log2(a))
PILOTLIGHT_FUNCTION(log10, std::log10(a))
PILOTLIGHT_FUNCTION(sqrt, std::sqrt(a))
PILOTLIGHT_FUNCTION(rsqrt, C{1} / std::sqrt(a))
PILOTLIGHT_FUNCTION(reciprocal, C{1} / a)
PILOTLIGHT_FUNCTION(sin, std::sin(a))
PILOTLIGHT_FUNCTION(cos, std::cos(a))
PILOTLIGHT_FUNCTION(tan, std::tan(a))
PILOTLIGHT_FUNCTION(asin, std::asin(a))
PILOTLIGHT_FUNCTION(acos, std::acos(a))
PILOTLIGHT_FUNCTION(atan, std::atan(a))
PILOTLIGHT_FUNCTION(sinh, std::sinh(a))
PILOTLIGHT_FUNCTION(cosh, std::cosh(a))
PILOTLIGHT_FUNCTION(tanh, std::tanh(a))
PILOTLIGHT_FUNCTION(asinh, std::asinh(a))
PILOTLIGHT_FUNCTION(acosh, std::acosh(a))
PILOTLIGHT_FUNCTION(atanh, std::atanh(a))
PILOTLIGHT_FUNCTION(erf, std::erf(a))
PILOTLIGHT_FUNCTION(sigmoid, C{1} / (C{1} + std::exp(-a)))

#undef PILOTLIGHT_FUNCTION

}  // namespace native
}  // namespace executor
}  // namespace torch
