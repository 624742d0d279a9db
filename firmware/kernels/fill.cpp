// SPDX-License-Identifier: Apache-2.0
//
// Tensors made from numbers: full, zeros, ones, fill, scalar_tensor, arange, empty. Signatures
// derived from kernels.yaml.
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <type_traits>

#include "pilotlight/kernels/number.h"
#include "pilotlight/kernels/shape.h"
#include "pilotlight/kernels/view.h"

namespace torch {
namespace executor {
namespace native {
namespace {

using pilotlight::kernels::Convert;
using pilotlight::kernels::DtypeSet;
using pilotlight::kernels::Element;
using pilotlight::kernels::Fill;
using pilotlight::kernels::HasData;
using pilotlight::kernels::Operand;
using pilotlight::kernels::Refuse;
using pilotlight::kernels::Resize;
using pilotlight::kernels::Selected;
using pilotlight::kernels::Shape;
using pilotlight::kernels::ShapeOf;
using pilotlight::kernels::SizesType;
using pilotlight::kernels::ToElement;
using pilotlight::kernels::ViewOf;
using pilotlight::kernels::WithDtype;

template <DtypeSet kDtypes>
Tensor& Filled(KernelRuntimeContext& context, const Shape& shape, const Operand& number,
               Tensor& out) {
  Element element;
  if (!ToElement<kDtypes>(number, out.scalar_type(), element) || !Resize(shape, out)) {
    Refuse(context);
  } else {
    Fill(element.bytes, ViewOf(out));
  }
  return out;
}

template <DtypeSet kDtypes>
Tensor& Filled(KernelRuntimeContext& context, ArrayRef<int64_t> sizes, const Operand& number,
               Tensor& out) {
  Shape shape;
  for (const std::int64_t size : sizes) {
    if (!shape.Append(size)) {
      Refuse(context);
      return out;
    }
  }
  return Filled<kDtypes>(context, shape, number, out);
}

// From `start` up to, but not including, `end`. Fractional numbers are computed in double
// precision. An integer output needs integer arguments.
template <DtypeSet kDtypes>
Tensor& Arange(KernelRuntimeContext& context, const Operand& start, const Operand& end,
               const Operand& step, Tensor& out) {
  const bool integral = start.is_integral() && end.is_integral() && step.is_integral();
  const double from = start.Value<double>();
  const double by = step.Value<double>();
  const double count = std::ceil((end.Value<double>() - from) / by);
  Shape shape;
  bool made = count >= 0 && count <= std::numeric_limits<SizesType>::max() &&
              shape.Append(static_cast<std::int64_t>(count)) &&
              (integral || isFloatingType(out.scalar_type())) && Resize(shape, out);
  made = made && WithDtype<kDtypes>(out.scalar_type(), [&](auto zero) {
           using T = decltype(zero);
           T* const values = out.mutable_data_ptr<T>();
           for (std::int64_t i = 0; i < shape.sizes[0]; ++i) {
             if constexpr (std::is_integral_v<T>) {
               values[i] = Convert<T>(start.Value<std::int64_t>() + i * step.Value<std::int64_t>());
             } else {
               values[i] = Convert<T>(from + static_cast<double>(i) * by);
             }
           }
         });
  if (!made) Refuse(context);
  return out;
}

// The content does not matter; only the sizes do.
Tensor& Empty(KernelRuntimeContext& context, ArrayRef<int64_t> sizes, Tensor& out) {
  Shape shape;
  bool sound = true;
  for (const std::int64_t size : sizes) sound = sound && shape.Append(size);
  if (!sound || !Resize(shape, out)) Refuse(context);
  return out;
}

}  // namespace

Tensor& full_out(KernelRuntimeContext& context, ArrayRef<int64_t> size, const Scalar& fill_value,
                 Tensor& out) {
  return Filled<Selected("aten::full.out")>(context, size, fill_value, out);
}

Tensor& full_like_out(KernelRuntimeContext& context, const Tensor& self, const Scalar& fill_value,
                      std::optional<MemoryFormat>, Tensor& out) {
  return Filled<Selected("aten::full_like.out")>(context, ShapeOf(self), fill_value, out);
}

Tensor& zeros_out(KernelRuntimeContext& context, ArrayRef<int64_t> size, Tensor& out) {
  return Filled<Selected("aten::zeros.out")>(context, size, Scalar(0), out);
}

Tensor& ones_out(KernelRuntimeContext& context, ArrayRef<int64_t> size, Tensor& out) {
  return Filled<Selected("aten::ones.out")>(context, size, Scalar(1), out);
}

Tensor& fill_scalar_out(KernelRuntimeContext& context, const Tensor& self, const Scalar& value,
                        Tensor& out) {
  return Filled<Selected("aten::fill.Scalar_out")>(context, ShapeOf(self), value, out);
}

Tensor& fill_tensor_out(KernelRuntimeContext& context, const Tensor& self, const Tensor& value,
                        Tensor& out) {
  constexpr DtypeSet kDtypes = Selected("aten::fill.Tensor_out");
  Scalar number = 0;
  const bool read = value.numel() == 1 && HasData(value) &&
                    WithDtype<kDtypes>(value.scalar_type(), [&](auto zero) {
                      using T = decltype(zero);
                      const T element = *value.const_data_ptr<T>();
                      if constexpr (std::is_integral_v<T>) {
                        number = Scalar(static_cast<std::int64_t>(element));
                      } else {
                        number = Scalar(Convert<double>(element));
                      }
                    });
  if (!read) {
    Refuse(context);
    return out;
  }
  return Filled<kDtypes>(context, ShapeOf(self), number, out);
}

Tensor& scalar_tensor_out(KernelRuntimeContext& context, const Scalar& s, Tensor& out) {
  return Filled<Selected("aten::scalar_tensor.out")>(context, Shape(), s, out);
}

Tensor& arange_out(KernelRuntimeContext& context, const Scalar& end, Tensor& out) {
  return Arange<Selected("aten::arange.out")>(context, Scalar(0), end, Scalar(1), out);
}

Tensor& arange_start_out(KernelRuntimeContext& context, const Scalar& start, const Scalar& end,
                         const Scalar& step, Tensor& out) {
  return Arange<Selected("aten::arange.start_out")>(context, start, end, step, out);
}

Tensor& empty_out(KernelRuntimeContext& context, ArrayRef<int64_t> size,
                  std::optional<MemoryFormat>, Tensor& out) {
  return Empty(context, size, out);
}

Tensor& _empty_dim_order_out(KernelRuntimeContext& context, ArrayRef<int64_t> size,
                             std::optional<ArrayRef<int64_t>>, Tensor& out) {
  return Empty(context, size, out);
}

}  // namespace native
}  // namespace executor
}  // namespace torch
