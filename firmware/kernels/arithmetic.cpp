// SPDX-License-Identifier: Apache-2.0
//
// Arithmetic on two operands without division: add, sub, mul, pow, atan2, maximum, minimum.
// Signatures derived from kernels.yaml.
#include <cmath>
#include <cstdint>
#include <type_traits>

#include "pilotlight/kernels/arithmetic.h"

namespace torch {
namespace executor {
namespace native {
namespace {

using pilotlight::kernels::AsFloat;
using pilotlight::kernels::ComputeInto;
using pilotlight::kernels::DtypeSet;
using pilotlight::kernels::Operand;
using pilotlight::kernels::Promoted;
using pilotlight::kernels::Refuse;
using pilotlight::kernels::ResultType;
using pilotlight::kernels::Selected;

using Unsigned = std::uint64_t;

// Integers wrap, as in PyTorch. In C++ only unsigned integers may overflow.
struct Add {
  template <typename C>
  static C Of(C a, C b, C alpha) {
    if constexpr (std::is_integral_v<C>) {
      return static_cast<C>(static_cast<Unsigned>(a) +
                            static_cast<Unsigned>(alpha) * static_cast<Unsigned>(b));
    } else {
      return a + alpha * b;
    }
  }
};

struct Sub {
  template <typename C>
  static C Of(C a, C b, C alpha) {
    if constexpr (std::is_integral_v<C>) {
      return static_cast<C>(static_cast<Unsigned>(a) -
                            static_cast<Unsigned>(alpha) * static_cast<Unsigned>(b));
    } else {
      return a - alpha * b;
    }
  }
};

struct Mul {
  template <typename C>
  static C Of(C a, C b) {
    if constexpr (std::is_integral_v<C>) {
      return static_cast<C>(static_cast<Unsigned>(a) * static_cast<Unsigned>(b));
    } else {
      return a * b;
    }
  }
};

struct Pow {
  template <typename C>
  static C Of(C base, C exponent) {
    if constexpr (std::is_integral_v<C>) {
      if (exponent < 0) {
        if (base == 1) return 1;
        return base == -1 ? (exponent % 2 == 0 ? 1 : -1) : 0;
      }
      Unsigned power = 1;
      auto square = static_cast<Unsigned>(base);
      for (auto left = static_cast<Unsigned>(exponent); left != 0; left >>= 1) {
        if (left & 1) power *= square;
        square *= square;
      }
      return static_cast<C>(power);
    } else {
      return std::pow(base, exponent);
    }
  }
};

// For a constant exponent: PyTorch computes these without pow().
struct PowScalar {
  template <typename C>
  static C Of(C base, C exponent) {
    if constexpr (!std::is_integral_v<C>) {
      if (exponent == C{2}) return base * base;
      if (exponent == C{3}) return base * base * base;
      if (exponent == C{0.5}) return std::sqrt(base);
      if (exponent == C{-0.5}) return C{1} / std::sqrt(base);
      if (exponent == C{-1}) return C{1} / base;
      if (exponent == C{-2}) return C{1} / (base * base);
    }
    return Pow::Of(base, exponent);
  }
};

struct Atan2 {
  template <typename C>
  static C Of(C y, C x) {
    return std::atan2(y, x);
  }
};

// NaN on either side gives NaN.
struct Maximum {
  template <typename C>
  static C Of(C a, C b) {
    return a > b || a != a ? a : b;
  }
};

struct Minimum {
  template <typename C>
  static C Of(C a, C b) {
    return a < b || a != a ? a : b;
  }
};

// Computes with a and alpha * b. With integer tensors, alpha must be an integer.
template <typename Op, DtypeSet kDtypes>
Tensor& Scaled(KernelRuntimeContext& context, const Operand& a, const Operand& b,
               const Operand& alpha, Tensor& out) {
  const Operand pair[] = {a, b};
  const ScalarType dtype = ResultType(pair);
  if (isIntegralType(dtype, /*includeBool=*/true) && !alpha.is_integral()) {
    Refuse(context);
    return out;
  }
  const Operand operands[] = {a, b, alpha};
  return ComputeInto<Op, kDtypes>(context, dtype, operands, out);
}

}  // namespace

Tensor& add_out(KernelRuntimeContext& context, const Tensor& self, const Tensor& other,
                const Scalar& alpha, Tensor& out) {
  return Scaled<Add, Selected("aten::add.out")>(context, self, other, alpha, out);
}

Tensor& add_scalar_out(KernelRuntimeContext& context, const Tensor& self, const Scalar& other,
                       const Scalar& alpha, Tensor& out) {
  return Scaled<Add, Selected("aten::add.Scalar_out")>(context, self, other, alpha, out);
}

Tensor& sub_out(KernelRuntimeContext& context, const Tensor& self, const Tensor& other,
                const Scalar& alpha, Tensor& out) {
  return Scaled<Sub, Selected("aten::sub.out")>(context, self, other, alpha, out);
}

Tensor& sub_scalar_out(KernelRuntimeContext& context, const Tensor& self, const Scalar& other,
                       const Scalar& alpha, Tensor& out) {
  return Scaled<Sub, Selected("aten::sub.Scalar_out")>(context, self, other, alpha, out);
}

Tensor& rsub_scalar_out(KernelRuntimeContext& context, const Tensor& self, const Scalar& other,
                        const Scalar& alpha, Tensor& out) {
  return Scaled<Sub, Selected("aten::rsub.Scalar_out")>(context, other, self, alpha, out);
}

Tensor& mul_out(KernelRuntimeContext& context, const Tensor& self, const Tensor& other,
                Tensor& out) {
  return Promoted<Mul, Selected("aten::mul.out")>(context, self, other, out);
}

Tensor& mul_scalar_out(KernelRuntimeContext& context, const Tensor& self, const Scalar& other,
                       Tensor& out) {
  return Promoted<Mul, Selected("aten::mul.Scalar_out")>(context, self, other, out);
}

Tensor& pow_Tensor_Tensor_out(KernelRuntimeContext& context, const Tensor& self,
                              const Tensor& exponent, Tensor& out) {
  return Promoted<Pow, Selected("aten::pow.Tensor_Tensor_out")>(context, self, exponent, out);
}

// PyTorch refuses a negative integer power of an integer.
Tensor& pow_Tensor_Scalar_out(KernelRuntimeContext& context, const Tensor& self,
                              const Scalar& exponent, Tensor& out) {
  const Operand power = exponent;
  if (isIntegralType(self.scalar_type(), /*includeBool=*/true) && power.is_integral() &&
      power.Value<std::int64_t>() < 0) {
    Refuse(context);
    return out;
  }
  return Promoted<PowScalar, Selected("aten::pow.Tensor_Scalar_out")>(context, self, power, out);
}

Tensor& pow_Scalar_out(KernelRuntimeContext& context, const Scalar& self, const Tensor& exponent,
                       Tensor& out) {
  return Promoted<Pow, Selected("aten::pow.Scalar_out")>(context, self, exponent, out);
}

Tensor& maximum_out(KernelRuntimeContext& context, const Tensor& self, const Tensor& other,
                    Tensor& out) {
  return Promoted<Maximum, Selected("aten::maximum.out")>(context, self, other, out);
}

Tensor& minimum_out(KernelRuntimeContext& context, const Tensor& self, const Tensor& other,
                    Tensor& out) {
  return Promoted<Minimum, Selected("aten::minimum.out")>(context, self, other, out);
}

Tensor& atan2_out(KernelRuntimeContext& context, const Tensor& self, const Tensor& other,
                  Tensor& out) {
  return AsFloat<Atan2, Selected("aten::atan2.out")>(context, self, other, out);
}

}  // namespace native
}  // namespace executor
}  // namespace torch
