// SPDX-License-Identifier: Apache-2.0
//
// abs, neg, sign, floor, ceil, round, trunc: exact functions of one operand. The result has the
// operand's dtype. Signatures derived from kernels.yaml.
#include <cmath>
#include <cstdint>
#include <type_traits>

#include "pilotlight/kernels/elementwise.h"

namespace torch {
namespace executor {
namespace native {
namespace {

using pilotlight::kernels::CanCast;
using pilotlight::kernels::ComputeAs;
using pilotlight::kernels::DtypeSet;
using pilotlight::kernels::Operand;
using pilotlight::kernels::Refuse;
using pilotlight::kernels::Selected;

struct Neg {
  template <typename C>
  static C Of(C a) {
    if constexpr (std::is_integral_v<C>) {
      return static_cast<C>(0 - static_cast<std::uint64_t>(a));
    } else {
      return -a;
    }
  }
};

struct Abs {
  template <typename C>
  static C Of(C a) {
    if constexpr (std::is_integral_v<C>) {
      return a < 0 ? Neg::Of(a) : a;
    } else {
      return std::fabs(a);
    }
  }
};

struct Sign {
  template <typename C>
  static C Of(C a) {
    return static_cast<C>((a > 0) - (a < 0));
  }
};

struct Floor {
  template <typename C>
  static C Of(C a) {
    if constexpr (std::is_integral_v<C>) {
      return a;
    } else {
      return std::floor(a);
    }
  }
};

struct Ceil {
  template <typename C>
  static C Of(C a) {
    if constexpr (std::is_integral_v<C>) {
      return a;
    } else {
      return std::ceil(a);
    }
  }
};

// Rounds half to even.
struct Round {
  template <typename C>
  static C Of(C a) {
    if constexpr (std::is_integral_v<C>) {
      return a;
    } else {
      return std::nearbyint(a);
    }
  }
};

struct Trunc {
  template <typename C>
  static C Of(C a) {
    if constexpr (std::is_integral_v<C>) {
      return a;
    } else {
      return std::trunc(a);
    }
  }
};

template <typename Op, DtypeSet kDtypes>
Tensor& OfOne(KernelRuntimeContext& context, const Tensor& self, Tensor& out) {
  const Operand operands[] = {self};
  if (!CanCast(self.scalar_type(), out.scalar_type())) {
    Refuse(context);
  } else {
    ComputeAs<Op, kDtypes>(context, self.scalar_type(), operands, out);
  }
  return out;
}

}  // namespace

Tensor& abs_out(KernelRuntimeContext& context, const Tensor& self, Tensor& out) {
  return OfOne<Abs, Selected("aten::abs.out")>(context, self, out);
}

Tensor& neg_out(KernelRuntimeContext& context, const Tensor& self, Tensor& out) {
  if (self.scalar_type() == ScalarType::Bool) {
    Refuse(context);
    return out;
  }
  return OfOne<Neg, Selected("aten::neg.out")>(context, self, out);
}

Tensor& sign_out(KernelRuntimeContext& context, const Tensor& self, Tensor& out) {
  return OfOne<Sign, Selected("aten::sign.out")>(context, self, out);
}

Tensor& floor_out(KernelRuntimeContext& context, const Tensor& self, Tensor& out) {
  return OfOne<Floor, Selected("aten::floor.out")>(context, self, out);
}

Tensor& ceil_out(KernelRuntimeContext& context, const Tensor& self, Tensor& out) {
  return OfOne<Ceil, Selected("aten::ceil.out")>(context, self, out);
}

Tensor& round_out(KernelRuntimeContext& context, const Tensor& self, Tensor& out) {
  return OfOne<Round, Selected("aten::round.out")>(context, self, out);
}

Tensor& trunc_out(KernelRuntimeContext& context, const Tensor& self, Tensor& out) {
  return OfOne<Trunc, Selected("aten::trunc.out")>(context, self, out);
}

}  // namespace native
}  // namespace executor
}  // namespace torch
