// SPDX-License-Identifier: Apache-2.0
//
// Division of two operands, and its remainders: div, floor_divide, remainder, fmod.
// Signatures derived from kernels.yaml.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <type_traits>

#include "pilotlight/kernels/arithmetic.h"

namespace torch {
namespace executor {
namespace native {
namespace {

using pilotlight::kernels::AsFloat;
using pilotlight::kernels::ComputeInto;
using pilotlight::kernels::DtypeSet;
using pilotlight::kernels::HasData;
using pilotlight::kernels::Operand;
using pilotlight::kernels::Refuse;
using pilotlight::kernels::ResultType;
using pilotlight::kernels::Selected;

using Unsigned = std::uint64_t;

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

}  // namespace native
}  // namespace executor
}  // namespace torch
