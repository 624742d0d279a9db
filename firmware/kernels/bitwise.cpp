// SPDX-License-Identifier: Apache-2.0
//
// bitwise_and, _or, _xor, _not and shifts, on integers and (except shifts) bool. Signatures derived
// from kernels.yaml.
#include <cstdint>

#include "pilotlight/kernels/elementwise.h"

namespace torch {
namespace executor {
namespace native {
namespace {

using pilotlight::kernels::CanCast;
using pilotlight::kernels::ComputeAs;
using pilotlight::kernels::DtypeSet;
using pilotlight::kernels::kIntegral;
using pilotlight::kernels::Operand;
using pilotlight::kernels::Refuse;
using pilotlight::kernels::ResultType;
using pilotlight::kernels::Selected;

using Integer = std::int64_t;

struct And {
  static Integer Of(Integer a, Integer b) { return a & b; }
};

struct Or {
  static Integer Of(Integer a, Integer b) { return a | b; }
};

struct Xor {
  static Integer Of(Integer a, Integer b) { return a ^ b; }
};

struct Not {
  static Integer Of(Integer a) { return ~a; }
};

struct NotBool {
  static Integer Of(Integer a) { return a == 0; }
};

// A shift count that C++ does not allow shifts everything out: the result is 0, or all sign bits.
// The driver truncates the result to the width of the dtype.
struct ShiftLeft {
  static Integer Of(Integer a, Integer b) {
    if (b < 0 || b > 63) return 0;
    return static_cast<Integer>(static_cast<std::uint64_t>(a) << b);
  }
};

struct ShiftRight {
  static Integer Of(Integer a, Integer b) { return a >> (b < 0 || b > 63 ? 63 : b); }
};

template <typename Op, DtypeSet kDtypes, std::size_t N>
Tensor& OnBits(KernelRuntimeContext& context, const Operand (&operands)[N], Tensor& out) {
  const ScalarType dtype = ResultType(operands);
  if (!CanCast(dtype, out.scalar_type())) {
    Refuse(context);
  } else {
    ComputeAs<Op, kDtypes & kIntegral>(context, dtype, operands, out);
  }
  return out;
}

}  // namespace

#define PILOTLIGHT_BITWISE(name, Op)                                                        \
  Tensor& name##_Tensor_out(KernelRuntimeContext& context, const Tensor& self,              \
                            const Tensor& other, Tensor& out) {                             \
    return OnBits<Op, Selected("aten::" #name ".Tensor_out")>(context, {self, other}, out); \
  }                                                                                         \
  Tensor& name##_Scalar_out(KernelRuntimeContext& context, const Tensor& self,              \
                            const Scalar& other, Tensor& out) {                             \
    return OnBits<Op, Selected("aten::" #name ".Scalar_out")>(context, {self, other}, out); \
  }

PILOTLIGHT_BITWISE(bitwise_and, And)
PILOTLIGHT_BITWISE(bitwise_or, Or)
PILOTLIGHT_BITWISE(bitwise_xor, Xor)

#undef PILOTLIGHT_BITWISE

Tensor& bitwise_not_out(KernelRuntimeContext& context, const Tensor& self, Tensor& out) {
  constexpr DtypeSet kDtypes = Selected("aten::bitwise_not.out");
  return self.scalar_type() == ScalarType::Bool ? OnBits<NotBool, kDtypes>(context, {self}, out)
                                                : OnBits<Not, kDtypes>(context, {self}, out);
}

Tensor& bitwise_left_shift_Tensor_out(KernelRuntimeContext& context, const Tensor& self,
                                      const Tensor& other, Tensor& out) {
  constexpr DtypeSet kDtypes = Selected("aten::bitwise_left_shift.Tensor_out");
  return OnBits<ShiftLeft, kDtypes>(context, {self, other}, out);
}

Tensor& bitwise_left_shift_Tensor_Scalar_out(KernelRuntimeContext& context, const Tensor& self,
                                             const Scalar& other, Tensor& out) {
  constexpr DtypeSet kDtypes = Selected("aten::bitwise_left_shift.Tensor_Scalar_out");
  return OnBits<ShiftLeft, kDtypes>(context, {self, other}, out);
}

Tensor& bitwise_right_shift_Tensor_out(KernelRuntimeContext& context, const Tensor& self,
                                       const Tensor& other, Tensor& out) {
  constexpr DtypeSet kDtypes = Selected("aten::bitwise_right_shift.Tensor_out");
  return OnBits<ShiftRight, kDtypes>(context, {self, other}, out);
}

Tensor& bitwise_right_shift_Tensor_Scalar_out(KernelRuntimeContext& context, const Tensor& self,
                                              const Scalar& other, Tensor& out) {
  constexpr DtypeSet kDtypes = Selected("aten::bitwise_right_shift.Tensor_Scalar_out");
  return OnBits<ShiftRight, kDtypes>(context, {self, other}, out);
}

}  // namespace native
}  // namespace executor
}  // namespace torch
