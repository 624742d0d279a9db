// SPDX-License-Identifier: Apache-2.0
//
// Operators whose result is true or false: logical_and, logical_not, isnan, isinf, …. Signatures
// derived from kernels.yaml.
#include <cmath>
#include <type_traits>

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

struct LogicalAnd {
  template <typename C>
  static bool Of(C a, C b) {
    return a != 0 && b != 0;
  }
};

struct LogicalOr {
  template <typename C>
  static bool Of(C a, C b) {
    return a != 0 || b != 0;
  }
};

struct LogicalXor {
  template <typename C>
  static bool Of(C a, C b) {
    return (a != 0) != (b != 0);
  }
};

struct LogicalNot {
  template <typename C>
  static bool Of(C a) {
    return a == 0;
  }
};

struct IsNan {
  template <typename C>
  static bool Of(C a) {
    return a != a;
  }
};

struct IsInf {
  template <typename C>
  static bool Of(C a) {
    if constexpr (std::is_integral_v<C>) {
      return false;
    } else {
      return std::isinf(a);
    }
  }
};

template <typename Op, DtypeSet kDtypes, std::size_t N>
Tensor& Ask(KernelRuntimeContext& context, const Operand (&operands)[N], Tensor& out) {
  ComputeAs<Op, kDtypes>(context, ResultType(operands), operands, out);
  return out;
}

}  // namespace

Tensor& logical_and_out(KernelRuntimeContext& context, const Tensor& self, const Tensor& other,
                        Tensor& out) {
  return Ask<LogicalAnd, Selected("aten::logical_and.out")>(context, {self, other}, out);
}

Tensor& logical_or_out(KernelRuntimeContext& context, const Tensor& self, const Tensor& other,
                       Tensor& out) {
  return Ask<LogicalOr, Selected("aten::logical_or.out")>(context, {self, other}, out);
}

Tensor& logical_xor_out(KernelRuntimeContext& context, const Tensor& self, const Tensor& other,
                        Tensor& out) {
  return Ask<LogicalXor, Selected("aten::logical_xor.out")>(context, {self, other}, out);
}

Tensor& logical_not_out(KernelRuntimeContext& context, const Tensor& self, Tensor& out) {
  return Ask<LogicalNot, Selected("aten::logical_not.out")>(context, {self}, out);
}

Tensor& isnan_out(KernelRuntimeContext& context, const Tensor& self, Tensor& out) {
  return Ask<IsNan, Selected("aten::isnan.out")>(context, {self}, out);
}

Tensor& isinf_out(KernelRuntimeContext& context, const Tensor& self, Tensor& out) {
  return Ask<IsInf, Selected("aten::isinf.out")>(context, {self}, out);
}

}  // namespace native
}  // namespace executor
}  // namespace torch
