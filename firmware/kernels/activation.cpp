// SPDX-License-Identifier: Apache-2.0
//
// relu, leaky_relu, hardtanh, elu, gelu, logit. Signatures derived from kernels.yaml.
#include <cmath>
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
using pilotlight::kernels::kFloats;
using pilotlight::kernels::kNumbers;
using pilotlight::kernels::Operand;
using pilotlight::kernels::Refuse;
using pilotlight::kernels::Selected;

constexpr double kSqrtHalf = 0.70710678118654752440;
constexpr double kSqrtTwoOverPi = 0.79788456080286535588;

// NaN stays NaN.
struct Relu {
  template <typename C>
  static C Of(C a) {
    return a <= 0 ? C{0} : a;
  }
};

struct LeakyRelu {
  template <typename C>
  static C Of(C a, C slope) {
    return a > 0 ? a : a * slope;
  }
};

struct Hardtanh {
  template <typename C>
  static C Of(C a, C low, C high) {
    return a < low ? low : a > high ? high : a;
  }
};

struct Elu {
  template <typename C>
  static C Of(C a, C alpha, C scale, C input_scale) {
    return a <= 0 ? std::expm1(a * input_scale) * (alpha * scale) : a * scale;
  }
};

struct Gelu {
  template <typename C>
  static C Of(C a) {
    return a * C{0.5} * (C{1} + std::erf(a * static_cast<C>(kSqrtHalf)));
  }
};

struct GeluTanh {
  template <typename C>
  static C Of(C a) {
    const C inner = static_cast<C>(kSqrtTwoOverPi) * (a + static_cast<C>(0.044715) * a * a * a);
    return C{0.5} * a * (C{1} + std::tanh(inner));
  }
};

struct Logit {
  template <typename C>
  static C Of(C a) {
    return std::log(a / (C{1} - a));
  }
};

struct ClampedLogit {
  template <typename C>
  static C Of(C a, C low) {
    return Logit::Of(Hardtanh::Of(a, low, C{1} - low));
  }
};

template <typename Op, DtypeSet kDtypes, std::size_t N>
Tensor& Activate(KernelRuntimeContext& context, ScalarType dtype, const Operand (&operands)[N],
                 Tensor& out) {
  if (!CanCast(dtype, out.scalar_type())) {
    Refuse(context);
  } else {
    ComputeAs<Op, kDtypes>(context, dtype, operands, out);
  }
  return out;
}

}  // namespace

Tensor& relu_out(KernelRuntimeContext& context, const Tensor& self, Tensor& out) {
  const Operand operands[] = {self};
  return Activate<Relu, kNumbers & Selected("aten::relu.out")>(context, self.scalar_type(),
                                                               operands, out);
}

Tensor& leaky_relu_out(KernelRuntimeContext& context, const Tensor& self,
                       const Scalar& negative_slope, Tensor& out) {
  const Operand operands[] = {self, negative_slope};
  return Activate<LeakyRelu, kFloats & Selected("aten::leaky_relu.out")>(
      context, self.scalar_type(), operands, out);
}

Tensor& hardtanh_out(KernelRuntimeContext& context, const Tensor& self, const Scalar& min_val,
                     const Scalar& max_val, Tensor& out) {
  const Operand operands[] = {self, min_val, max_val};
  return Activate<Hardtanh, kNumbers & Selected("aten::hardtanh.out")>(context, self.scalar_type(),
                                                                       operands, out);
}

Tensor& elu_out(KernelRuntimeContext& context, const Tensor& self, const Scalar& alpha,
                const Scalar& scale, const Scalar& input_scale, Tensor& out) {
  const Operand operands[] = {self, alpha, scale, input_scale};
  return Activate<Elu, kFloats & Selected("aten::elu.out")>(context, self.scalar_type(), operands,
                                                            out);
}

Tensor& gelu_out(KernelRuntimeContext& context, const Tensor& self, std::string_view approximate,
                 Tensor& out) {
  constexpr DtypeSet kDtypes = kFloats & Selected("aten::gelu.out");
  const Operand operands[] = {self};
  const ScalarType dtype = self.scalar_type();
  if (approximate == "none") return Activate<Gelu, kDtypes>(context, dtype, operands, out);
  if (approximate == "tanh") return Activate<GeluTanh, kDtypes>(context, dtype, operands, out);
  Refuse(context);
  return out;
}

Tensor& logit_out(KernelRuntimeContext& context, const Tensor& self, std::optional<double> eps,
                  Tensor& out) {
  constexpr DtypeSet kDtypes = kFloats & Selected("aten::logit.out");
  const Operand number[] = {self};
  const ScalarType dtype = FloatResultType(number);
  if (!eps.has_value()) return Activate<Logit, kDtypes>(context, dtype, number, out);
  const Operand clamped[] = {self, Scalar(*eps)};
  return Activate<ClampedLogit, kDtypes>(context, dtype, clamped, out);
}

}  // namespace native
}  // namespace executor
}  // namespace torch
