// SPDX-License-Identifier: Apache-2.0
//
// eq, ne, lt, le, gt, ge, on two tensors or on a tensor and a number. Signatures derived from
// kernels.yaml.
#include "pilotlight/kernels/elementwise.h"

namespace torch {
namespace executor {
namespace native {
namespace {

using pilotlight::kernels::ComputeAs;
using pilotlight::kernels::DtypeSet;
using pilotlight::kernels::Operand;
using pilotlight::kernels::ResultType;
using pilotlight::kernels::Selected;
using pilotlight::kernels::SetOf;

struct Equal {
  template <typename C>
  static bool Of(C a, C b) {
    return a == b;
  }
};

struct NotEqual {
  template <typename C>
  static bool Of(C a, C b) {
    return a != b;
  }
};

struct Less {
  template <typename C>
  static bool Of(C a, C b) {
    return a < b;
  }
};

struct LessOrEqual {
  template <typename C>
  static bool Of(C a, C b) {
    return a <= b;
  }
};

struct Greater {
  template <typename C>
  static bool Of(C a, C b) {
    return a > b;
  }
};

struct GreaterOrEqual {
  template <typename C>
  static bool Of(C a, C b) {
    return a >= b;
  }
};

template <typename Op, DtypeSet kDtypes>
Tensor& Compare(KernelRuntimeContext& context, const Operand& a, const Operand& b, Tensor& out) {
  const Operand operands[] = {a, b};
  ComputeAs<Op, kDtypes>(context, ResultType(operands), operands, out);
  return out;
}

// Comparing an integer tensor with a fractional number is done in float, even if no tensor in the
// call is float.
constexpr DtypeSet WithFloat(DtypeSet dtypes) { return dtypes | SetOf(ScalarType::Float); }

}  // namespace

#define PILOTLIGHT_COMPARISON(name, Op)                                                         \
  Tensor& name##_tensor_out(KernelRuntimeContext& context, const Tensor& self,                  \
                            const Tensor& other, Tensor& out) {                                 \
    return Compare<Op, Selected("aten::" #name ".Tensor_out")>(context, self, other, out);      \
  }                                                                                             \
  Tensor& name##_scalar_out(KernelRuntimeContext& context, const Tensor& self,                  \
                            const Scalar& other, Tensor& out) {                                 \
    return Compare<Op, WithFloat(Selected("aten::" #name ".Scalar_out"))>(context, self, other, \
                                                                          out);                 \
  }

PILOTLIGHT_COMPARISON(eq, Equal)
PILOTLIGHT_COMPARISON(ne, NotEqual)
PILOTLIGHT_COMPARISON(lt, Less)
PILOTLIGHT_COMPARISON(le, LessOrEqual)
PILOTLIGHT_COMPARISON(gt, Greater)
PILOTLIGHT_COMPARISON(ge, GreaterOrEqual)

#undef PILOTLIGHT_COMPARISON

}  // namespace native
}  // namespace executor
}  // namespace torch
