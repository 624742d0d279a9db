// SPDX-License-Identifier: Apache-2.0
//
// Arithmetic on two operands: add, sub, mul, div and its remainders, pow, maximum.
// Signatures derived from kernels.yaml.
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <type_traits>

#include "pilotlight/kernels/elementwise.h"

namespace torch {
namespace executor {
namespace native {
namespace {

using pilotlight::kernels::CanCast;
using pilotlight::kernels::ComputeAs;
using pilotlight::kernels::DtypeSet;
using pilotlight::kernels::FloatResultType;
using pilotlight::kernels::HasData;
using pilotlight::kernels::kFloats;
using pilotlight::kernels::Operand;
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

struct Div {
  template <typename C>
  static C Of(C a, C b) {
    return a / b;
  }
};

// Truncating division of integers; b is not 0. The smallest integer divided by -1 wraps.
[[maybe_unused]] std::int64_t Quotient(std::int64_t a, std::int64_t b) {
  return b == -1 ? static_cast<std::int64_t>(0 - static_cast<Unsigned>(a)) : a / b;
}

struct Fmod {
  template <typename C>
  static C Of(C a, C b) {
    if constexpr (std::is_integral_v<C>) {
      return b == -1 ? 0 : a % b;
    } else {
      return std::fmod(a, b);
    }
  }
};

struct DivTrunc {
  template <typename C>
  static C Of(C a, C b) {
    if constexpr (std::is_integral_v<C>) {
      return Quotient(a, b);
    } else {
      return std::trunc(a / b);
    }
  }
};

// Division as in Python. The result is exact where rounding the quotient would cross an integer.
struct DivFloor {
  template <typename C>
  static C Of(C a, C b) {
    if constexpr (std::is_integral_v<C>) {
      const C quotient = Quotient(a, b);
      return Fmod::Of(a, b) != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
    } else {
      if (b == 0) return a / b;
      const C rest = std::fmod(a, b);
      C quotient = (a - rest) / b;
      if (rest != 0 && (b < 0) != (rest < 0)) quotient -= 1;
      if (quotient == 0) return std::copysign(C{0}, a / b);
      const C floor = std::floor(quotient);
      return quotient - floor > C{0.5} ? floor + 1 : floor;
    }
  }
};

struct Remainder {
  template <typename C>
  static C Of(C a, C b) {
    const C rest = Fmod::Of(a, b);
    return rest != 0 && (b < 0) != (rest < 0) ? rest + b : rest;
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

// For integers. A tensor is dense in some dim order, so its memory contains only its elements.
bool HasZero(const Operand& divisor) {
  if (divisor.tensor() == nullptr) return divisor.Value<std::int64_t>() == 0;
  const Tensor& tensor = *divisor.tensor();
  const auto bytes = static_cast<std::size_t>(tensor.element_size());
  const auto* data = static_cast<const std::uint8_t*>(tensor.const_data_ptr());
  if (!HasData(tensor)) return true;
  for (std::size_t i = 0; i < static_cast<std::size_t>(tensor.numel()); ++i) {
    std::uint8_t any = 0;
    for (std::size_t byte = 0; byte < bytes; ++byte) {
      any = static_cast<std::uint8_t>(any | data[i * bytes + byte]);
    }
    if (any == 0) return true;
  }
  return false;
}

// Like Promoted(), for operators that do not accept an integer divisor of 0.
template <typename Op, DtypeSet kDtypes>
Tensor& Divided(KernelRuntimeContext& context, const Operand& a, const Operand& b, Tensor& out) {
  const Operand operands[] = {a, b};
  const ScalarType dtype = ResultType(operands);
  if (isIntegralType(dtype, /*includeBool=*/true) && HasZero(b)) {
    ET_LOG(Error, "division of integers by zero");
    Refuse(context);
    return out;
  }
  return ComputeInto<Op, kDtypes>(context, dtype, operands, out);
}

template <typename Op, DtypeSet kDtypes>
Tensor& AsFloat(KernelRuntimeContext& context, const Operand& a, const Operand& b, Tensor& out) {
  const Operand operands[] = {a, b};
  return ComputeInto<Op, kDtypes & kFloats>(context, FloatResultType(operands), operands, out);
}

template <DtypeSet kDtypes>
Tensor& DividedInMode(KernelRuntimeContext& context, const Operand& a, const Operand& b,
                      const std::optional<std::string_view>& mode, Tensor& out) {
  if (!mode.has_value()) return AsFloat<Div, kDtypes>(context, a, b, out);
  if (*mode == "trunc") return Divided<DivTrunc, kDtypes>(context, a, b, out);
  if (*mode == "floor") return Divided<DivFloor, kDtypes>(context, a, b, out);
  Refuse(context);
  return out;
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

Tensor& div_out(KernelRuntimeContext& context, const Tensor& self, const Tensor& other,
                Tensor& out) {
  return AsFloat<Div, Selected("aten::div.out")>(context, self, other, out);
}

Tensor& div_scalar_out(KernelRuntimeContext& context, const Tensor& self, const Scalar& other,
                       Tensor& out) {
  return AsFloat<Div, Selected("aten::div.Scalar_out")>(context, self, other, out);
}

Tensor& div_out_mode(KernelRuntimeContext& context, const Tensor& self, const Tensor& other,
                     std::optional<std::string_view> rounding_mode, Tensor& out) {
  return DividedInMode<Selected("aten::div.out_mode")>(context, self, other, rounding_mode, out);
}

Tensor& div_scalar_mode_out(KernelRuntimeContext& context, const Tensor& self, const Scalar& other,
                            std::optional<std::string_view> rounding_mode, Tensor& out) {
  return DividedInMode<Selected("aten::div.Scalar_mode_out")>(context, self, other, rounding_mode,
                                                              out);
}

Tensor& floor_divide_out(KernelRuntimeContext& context, const Tensor& self, const Tensor& other,
                         Tensor& out) {
  return Divided<DivFloor, Selected("aten::floor_divide.out")>(context, self, other, out);
}

Tensor& remainder_Tensor_out(KernelRuntimeContext& context, const Tensor& self, const Tensor& other,
                             Tensor& out) {
  return Divided<Remainder, Selected("aten::remainder.Tensor_out")>(context, self, other, out);
}

Tensor& remainder_Scalar_out(KernelRuntimeContext& context, const Tensor& self, const Scalar& other,
                             Tensor& out) {
  return Divided<Remainder, Selected("aten::remainder.Scalar_out")>(context, self, other, out);
}

Tensor& fmod_Tensor_out(KernelRuntimeContext& context, const Tensor& self, const Tensor& other,
                        Tensor& out) {
  return Divided<Fmod, Selected("aten::fmod.Tensor_out")>(context, self, other, out);
}

Tensor& fmod_Scalar_out(KernelRuntimeContext& context, const Tensor& self, const Scalar& other,
                        Tensor& out) {
  return Divided<Fmod, Selected("aten::fmod.Scalar_out")>(context, self, other, out);
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
