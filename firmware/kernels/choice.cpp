// SPDX-License-Identifier: Apache-2.0
//
// where, masked_fill, clamp: each output element is one of several given elements. Signatures
// derived from kernels.yaml.
#include <optional>

#include "pilotlight/kernels/elementwise.h"

namespace torch {
namespace executor {
namespace native {
namespace {

using pilotlight::kernels::Broadcast;
using pilotlight::kernels::CanCast;
using pilotlight::kernels::ComputeAs;
using pilotlight::kernels::DtypeSet;
using pilotlight::kernels::Operand;
using pilotlight::kernels::Refuse;
using pilotlight::kernels::ResultType;
using pilotlight::kernels::Selected;
using pilotlight::kernels::Shape;
using pilotlight::kernels::ShapeOf;

struct Where {
  template <typename C>
  static C Of(C condition, C a, C b) {
    return condition != 0 ? a : b;
  }
};

// NaN in the value or in the limit gives NaN.
struct AtLeast {
  template <typename C>
  static C Of(C value, C low) {
    return value > low || value != value ? value : low;
  }
};

struct AtMost {
  template <typename C>
  static C Of(C value, C high) {
    return value < high || value != value ? value : high;
  }
};

struct Between {
  template <typename C>
  static C Of(C value, C low, C high) {
    return AtMost::Of(AtLeast::Of(value, low), high);
  }
};

template <typename Op, DtypeSet kDtypes, std::size_t N>
Tensor& Choose(KernelRuntimeContext& context, ScalarType dtype, const Operand (&operands)[N],
               Tensor& out) {
  if (!CanCast(dtype, out.scalar_type())) {
    Refuse(context);
  } else {
    ComputeAs<Op, kDtypes>(context, dtype, operands, out);
  }
  return out;
}

// A limit is a tensor or a number.
template <DtypeSet kDtypes, typename Limit>
Tensor& Clamp(KernelRuntimeContext& context, const Tensor& self, const std::optional<Limit>& min,
              const std::optional<Limit>& max, Tensor& out) {
  if (min.has_value() && max.has_value()) {
    const Operand operands[] = {self, *min, *max};
    return Choose<Between, kDtypes>(context, ResultType(operands), operands, out);
  }
  if (!min.has_value() && !max.has_value()) {
    Refuse(context);
    return out;
  }
  const Operand operands[] = {self, min.has_value() ? *min : *max};
  const ScalarType dtype = ResultType(operands);
  return min.has_value() ? Choose<AtLeast, kDtypes>(context, dtype, operands, out)
                         : Choose<AtMost, kDtypes>(context, dtype, operands, out);
}

bool IsCondition(const Tensor& tensor) {
  return tensor.scalar_type() == ScalarType::Bool || tensor.scalar_type() == ScalarType::Byte;
}

}  // namespace

Tensor& where_out(KernelRuntimeContext& context, const Tensor& condition, const Tensor& self,
                  const Tensor& other, Tensor& out) {
  const Operand values[] = {self, other};
  if (!IsCondition(condition)) {
    Refuse(context);
    return out;
  }
  const Operand operands[] = {condition, self, other};
  return Choose<Where, Selected("aten::where.self_out")>(context, ResultType(values), operands,
                                                         out);
}

// The mask may broadcast to the tensor's shape, but not beyond it.
Tensor& masked_fill_scalar_out(KernelRuntimeContext& context, const Tensor& self,
                               const Tensor& mask, const Scalar& value, Tensor& out) {
  const Operand fill = value;
  const Operand pair[] = {self, fill};
  Shape shape = ShapeOf(self);
  if (mask.scalar_type() != ScalarType::Bool || !Broadcast(shape, mask) ||
      !CanCast(ResultType(pair), self.scalar_type())) {
    Refuse(context);
    return out;
  }
  const Operand operands[] = {mask, fill, self};
  return Choose<Where, Selected("aten::masked_fill.Scalar_out")>(context, self.scalar_type(),
                                                                 operands, out);
}

Tensor& clamp_out(KernelRuntimeContext& context, const Tensor& self,
                  const std::optional<Scalar>& min, const std::optional<Scalar>& max, Tensor& out) {
  return Clamp<Selected("aten::clamp.out")>(context, self, min, max, out);
}

Tensor& clamp_tensor_out(KernelRuntimeContext& context, const Tensor& self,
                         const std::optional<Tensor>& min, const std::optional<Tensor>& max,
                         Tensor& out) {
  return Clamp<Selected("aten::clamp.Tensor_out")>(context, self, min, max, out);
}

}  // namespace native
}  // namespace executor
}  // namespace torch
