// SPDX-License-Identifier: Apache-2.0
//
// view_copy, squeeze_copy, unsqueeze_copy, clone, and copies that change nothing: the same elements
// in the same order, with other sizes. Signatures derived from kernels.yaml.
#include <cstdint>
#include <optional>

#include "pilotlight/kernels/shape.h"
#include "pilotlight/kernels/view.h"

namespace torch {
namespace executor {
namespace native {
namespace {

using pilotlight::kernels::Copy;
using pilotlight::kernels::HasData;
using pilotlight::kernels::NormaliseDim;
using pilotlight::kernels::Refuse;
using pilotlight::kernels::Resize;
using pilotlight::kernels::Shape;
using pilotlight::kernels::ShapeOf;
using pilotlight::kernels::SizesType;
using pilotlight::kernels::View;
using pilotlight::kernels::ViewOf;

// Copies a tensor to another one with the same number of elements, each in the order of its own
// dimensions. If both tensors are contiguous, the copy is one loop.
void CopyInOrder(const Tensor& from, const Tensor& to) {
  const auto count = static_cast<SizesType>(to.numel());
  View source = ViewOf(from);
  View target = ViewOf(to);
  if (tensor_is_contiguous(from) && tensor_is_contiguous(to)) {
    source.rank = 0;
    source.Append(count, 1);
    target.rank = 0;
    target.Append(count, 1);
    Copy(source, target);
    return;
  }
  // The two nests of loops have nothing in common, so the copy goes element by element, with an
  // index for each tensor.
  View one_source = source;
  View one_target = target;
  one_source.rank = 0;
  one_target.rank = 0;
  for (SizesType i = 0; i < count; ++i) {
    const auto place = [i](const View& view) {
      std::ptrdiff_t offset = 0;
      SizesType left = i;
      for (std::size_t d = view.rank; d-- > 0;) {
        offset += static_cast<std::ptrdiff_t>(left % view.sizes[d]) * view.strides[d];
        left /= view.sizes[d];
      }
      return offset * static_cast<std::ptrdiff_t>(view.element_bytes);
    };
    one_source.data = source.data + place(source);
    one_target.data = target.data + place(target);
    Copy(one_source, one_target);
  }
}

Tensor& CopyAs(KernelRuntimeContext& context, const Tensor& self, const Shape& shape, Tensor& out) {
  std::int64_t count = 1;
  for (std::size_t d = 0; d < shape.rank; ++d) count *= shape.sizes[d];
  if (count != self.numel() || self.scalar_type() != out.scalar_type() || !HasData(self) ||
      !Resize(shape, out)) {
    Refuse(context);
  } else {
    CopyInOrder(self, out);
  }
  return out;
}

// Replaces one size of -1. False if the sizes do not match `count` elements.
bool InferSizes(ArrayRef<int64_t> sizes, std::int64_t count, Shape& shape) {
  std::int64_t known = 1;
  bool open = false;
  for (const std::int64_t size : sizes) {
    if (size == -1) {
      if (open) return false;
      open = true;
    } else if (size < 0 || __builtin_mul_overflow(known, size, &known)) {
      return false;
    }
  }
  if (open && (known == 0 || count % known != 0)) return false;
  for (const std::int64_t size : sizes) {
    if (!shape.Append(size == -1 ? count / known : size)) return false;
  }
  return true;
}

}  // namespace

Tensor& view_copy_out(KernelRuntimeContext& context, const Tensor& self, ArrayRef<int64_t> size,
                      Tensor& out) {
  Shape shape;
  if (!InferSizes(size, self.numel(), shape)) {
    Refuse(context);
    return out;
  }
  return CopyAs(context, self, shape, out);
}

// The output has the dim order that the exporter planned for the memory format.
Tensor& clone_out(KernelRuntimeContext& context, const Tensor& self, std::optional<MemoryFormat>,
                  Tensor& out) {
  return CopyAs(context, self, ShapeOf(self), out);
}

Tensor& alias_copy_out(KernelRuntimeContext& context, const Tensor& self, Tensor& out) {
  return CopyAs(context, self, ShapeOf(self), out);
}

Tensor& detach_copy_out(KernelRuntimeContext& context, const Tensor& self, Tensor& out) {
  return CopyAs(context, self, ShapeOf(self), out);
}

Tensor& lift_fresh_copy_out(KernelRuntimeContext& context, const Tensor& self, Tensor& out) {
  return CopyAs(context, self, ShapeOf(self), out);
}

Tensor& squeeze_copy_dims_out(KernelRuntimeContext& context, const Tensor& self,
                              ArrayRef<int64_t> dim, Tensor& out) {
  const Shape before = ShapeOf(self);
  bool squeezed[pilotlight::kernels::kMaxRank] = {};
  for (const std::int64_t one : dim) {
    std::size_t normalised = 0;
    if (!NormaliseDim(one, before.rank, normalised) || squeezed[normalised]) {
      Refuse(context);
      return out;
    }
    squeezed[normalised] = true;
  }
  Shape shape;
  for (std::size_t d = 0; d < before.rank; ++d) {
    if (!squeezed[d] || before.sizes[d] != 1) shape.Append(before.sizes[d]);
  }
  return CopyAs(context, self, shape, out);
}

Tensor& squeeze_copy_dim_out(KernelRuntimeContext& context, const Tensor& self, int64_t dim,
                             Tensor& out) {
  return squeeze_copy_dims_out(context, self, {&dim, 1}, out);
}

Tensor& unsqueeze_copy_out(KernelRuntimeContext& context, const Tensor& self, int64_t dim,
                           Tensor& out) {
  const Shape before = ShapeOf(self);
  std::size_t place = 0;
  Shape shape;
  bool sound = NormaliseDim(dim, before.rank + 1, place);
  for (std::size_t d = 0; sound && d <= before.rank; ++d) {
    sound = shape.Append(d < place ? before.sizes[d] : d == place ? 1 : before.sizes[d - 1]);
  }
  if (!sound) {
    Refuse(context);
    return out;
  }
  return CopyAs(context, self, shape, out);
}

}  // namespace native
}  // namespace executor
}  // namespace torch
