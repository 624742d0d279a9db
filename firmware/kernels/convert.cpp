// SPDX-License-Identifier: Apache-2.0
//
// _to_copy, _to_dim_order_copy, _clone_dim_order, copy: copies to another dtype, another dim order,
// or both. Signatures derived from kernels.yaml.
#include <cstdint>
#include <optional>

#include "pilotlight/kernels/elementwise.h"
#include "pilotlight/kernels/view.h"

namespace torch {
namespace executor {
namespace native {
namespace {

using pilotlight::kernels::Broadcast;
using pilotlight::kernels::BroadcastView;
using pilotlight::kernels::ComputeAs;
using pilotlight::kernels::Contains;
using pilotlight::kernels::Copy;
using pilotlight::kernels::DtypeSet;
using pilotlight::kernels::HasData;
using pilotlight::kernels::Operand;
using pilotlight::kernels::Refuse;
using pilotlight::kernels::Resize;
using pilotlight::kernels::Selected;
using pilotlight::kernels::Shape;
using pilotlight::kernels::ShapeOf;
using pilotlight::kernels::ViewOf;

struct Identity {
  template <typename C>
  static C Of(C a) {
    return a;
  }
};

// The output has the dim order that the exporter planned. An argument that names a dim order only
// repeats the planned order.
template <DtypeSet kDtypes>
Tensor& Converted(KernelRuntimeContext& context, const Tensor& self, bool non_blocking,
                  Tensor& out) {
  if (non_blocking) {
    Refuse(context);
  } else if (self.scalar_type() != out.scalar_type()) {
    const Operand operands[] = {self};
    ComputeAs<Identity, kDtypes>(context, self.scalar_type(), operands, out);
  } else if (!Contains(kDtypes, self.scalar_type()) || !HasData(self) ||
             !Resize(ShapeOf(self), out)) {
    Refuse(context);
  } else {
    Copy(ViewOf(self), ViewOf(out));
  }
  return out;
}

// Broadcasts `src` to the sizes of `self` and converts it to that dtype.
template <DtypeSet kDtypes>
Tensor& Copied(KernelRuntimeContext& context, const Tensor& self, const Tensor& src,
               bool non_blocking, Tensor& out) {
  Shape shape = ShapeOf(self);
  if (non_blocking || self.scalar_type() != out.scalar_type() || !Broadcast(shape, src) ||
      !shape.Sizes().equals(self.sizes()) || !HasData(src)) {
    Refuse(context);
  } else if (src.scalar_type() == out.scalar_type()) {
    if (!Contains(kDtypes, out.scalar_type()) || !Resize(shape, out)) {
      Refuse(context);
    } else {
      Copy(BroadcastView(src, shape), ViewOf(out));
    }
  } else if (!src.sizes().equals(self.sizes())) {
    // The driver broadcasts to the shape of its operands, and `src` is the only operand.
    Refuse(context);
  } else {
    const Operand operands[] = {src};
    ComputeAs<Identity, kDtypes>(context, src.scalar_type(), operands, out);
  }
  return out;
}

}  // namespace

Tensor& to_copy_out(KernelRuntimeContext& context, const Tensor& self, bool non_blocking,
                    std::optional<MemoryFormat>, Tensor& out) {
  return Converted<Selected("aten::_to_copy.out")>(context, self, non_blocking, out);
}

Tensor& _to_dim_order_copy_out(KernelRuntimeContext& context, const Tensor& self, bool non_blocking,
                               std::optional<ArrayRef<int64_t>>, Tensor& out) {
  return Converted<Selected("dim_order_ops::_to_dim_order_copy.out")>(context, self, non_blocking,
                                                                      out);
}

Tensor& _clone_dim_order_out(KernelRuntimeContext& context, const Tensor& self, bool non_blocking,
                             std::optional<ArrayRef<int64_t>>, Tensor& out) {
  return Converted<Selected("dim_order_ops::_clone_dim_order.out")>(context, self, non_blocking,
                                                                    out);
}

Tensor& copy_out(KernelRuntimeContext& context, const Tensor& self, const Tensor& src,
                 bool non_blocking, Tensor& out) {
  return Copied<Selected("aten::copy.out")>(context, self, src, non_blocking, out);
}

Tensor& copy_(KernelRuntimeContext& context, Tensor& self, const Tensor& src, bool non_blocking) {
  return Copied<Selected("aten::copy_")>(context, self, src, non_blocking, self);
}

}  // namespace native
}  // namespace executor
}  // namespace torch
