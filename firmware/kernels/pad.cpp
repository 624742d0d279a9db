// SPDX-License-Identifier: Apache-2.0
//
// constant_pad_nd, reflection_pad and replication_pad. Signatures derived from kernels.yaml.
#include <algorithm>
#include <cstdint>
#include <limits>

#include "pilotlight/kernels/number.h"
#include "pilotlight/kernels/shape.h"
#include "pilotlight/kernels/view.h"

namespace torch {
namespace executor {
namespace native {
namespace {

using pilotlight::kernels::Copy;
using pilotlight::kernels::Element;
using pilotlight::kernels::Fill;
using pilotlight::kernels::HasData;
using pilotlight::kernels::kMaxRank;
using pilotlight::kernels::Refuse;
using pilotlight::kernels::Resize;
using pilotlight::kernels::Selected;
using pilotlight::kernels::Shape;
using pilotlight::kernels::SizesType;
using pilotlight::kernels::ToElement;
using pilotlight::kernels::View;
using pilotlight::kernels::ViewOf;

// The number of elements added before and behind each dimension. A negative number removes
// elements. PyTorch lists pairs, starting with the last dimension.
struct Padding {
  std::int64_t before[kMaxRank] = {};
  std::int64_t behind[kMaxRank] = {};
};

bool ReadPadding(const Tensor& self, ArrayRef<int64_t> pad, Padding& padding, Shape& shape) {
  const auto rank = static_cast<std::size_t>(self.dim());
  if (pad.size() % 2 != 0 || pad.size() / 2 > rank) return false;
  constexpr std::int64_t kMost = std::numeric_limits<SizesType>::max();
  for (std::size_t i = 0; i < pad.size(); ++i) {
    if (pad[i] < -kMost || pad[i] > kMost) return false;
    (i % 2 == 0 ? padding.before : padding.behind)[rank - 1 - i / 2] = pad[i];
  }
  for (std::size_t d = 0; d < rank; ++d) {
    if (!shape.Append(self.sizes()[d] + padding.before[d] + padding.behind[d])) return false;
  }
  return true;
}

// For a position `index` outside 0..size-1, returns the position inside whose element is copied.
using Source = std::int64_t (*)(std::int64_t index, std::int64_t size);

std::int64_t Reflected(std::int64_t index, std::int64_t size) {
  return index < 0 ? -index : 2 * (size - 1) - index;
}

std::int64_t Nearest(std::int64_t index, std::int64_t size) {
  return std::clamp<std::int64_t>(index, 0, size - 1);
}

// Copies the tensor to its place in the output. Then the kernel fills the margins of one dimension
// after another from elements that the output already has.
Tensor& PadFromInside(KernelRuntimeContext& context, const Tensor& self, ArrayRef<int64_t> pad,
                      std::size_t dims, Source source, bool reflects, Tensor& out) {
  const auto rank = static_cast<std::size_t>(self.dim());
  Padding padding;
  Shape shape;
  bool sound = pad.size() == 2 * dims && (rank == dims + 1 || rank == dims + 2) &&
               ReadPadding(self, pad, padding, shape);
  for (std::size_t d = 0; sound && d < rank; ++d) {
    const std::int64_t most = std::max(padding.before[d], padding.behind[d]);
    sound = std::min(padding.before[d], padding.behind[d]) >= 0 &&
            (most == 0 || self.sizes()[d] > (reflects ? most : 0));
  }
  if (!sound || self.scalar_type() != out.scalar_type() || !HasData(self) || !Resize(shape, out)) {
    Refuse(context);
    return out;
  }
  View filled = ViewOf(out);
  for (std::size_t d = 0; d < rank; ++d) {
    filled.Slice(d, padding.before[d], 1, self.sizes()[d]);
  }
  Copy(ViewOf(self), filled);
  // Slice() sets the stride of a dimension with one element to 0, so each view starts from a new
  // copy.
  const View whole = ViewOf(out);
  for (std::size_t d = rank; d-- > rank - dims;) {
    const std::int64_t size = self.sizes()[d];
    for (std::int64_t i = -padding.before[d]; i < size + padding.behind[d]; ++i) {
      if (i >= 0 && i < size) continue;
      View from = whole;
      View to = whole;
      for (std::size_t other = 0; other < d; ++other) {
        from.Slice(other, padding.before[other], 1, self.sizes()[other]);
        to.Slice(other, padding.before[other], 1, self.sizes()[other]);
      }
      from.Slice(d, padding.before[d] + source(i, size), 1, 1);
      to.Slice(d, padding.before[d] + i, 1, 1);
      Copy(from, to);
    }
  }
  return out;
}

Tensor& Reflect(KernelRuntimeContext& context, const Tensor& self, ArrayRef<int64_t> pad,
                std::size_t dims, Tensor& out) {
  return PadFromInside(context, self, pad, dims, Reflected, /*reflects=*/true, out);
}

Tensor& Replicate(KernelRuntimeContext& context, const Tensor& self, ArrayRef<int64_t> pad,
                  std::size_t dims, Tensor& out) {
  return PadFromInside(context, self, pad, dims, Nearest, /*reflects=*/false, out);
}

}  // namespace

Tensor& constant_pad_nd_out(KernelRuntimeContext& context, const Tensor& self,
                            ArrayRef<int64_t> pad, const Scalar& value, Tensor& out) {
  Padding padding;
  Shape shape;
  Element element;
  if (!ReadPadding(self, pad, padding, shape) || self.scalar_type() != out.scalar_type() ||
      !ToElement<Selected("aten::constant_pad_nd.out")>(value, out.scalar_type(), element) ||
      !HasData(self) || !Resize(shape, out)) {
    Refuse(context);
    return out;
  }
  View from = ViewOf(self);
  View to = ViewOf(out);
  Fill(element.bytes, to);
  for (std::size_t d = 0; d < shape.rank; ++d) {
    const std::int64_t cut = std::max<std::int64_t>(-padding.before[d], 0);
    const std::int64_t kept = from.sizes[d] - cut - std::max<std::int64_t>(-padding.behind[d], 0);
    const auto count = static_cast<SizesType>(std::max<std::int64_t>(kept, 0));
    from.Slice(d, cut, 1, count);
    to.Slice(d, std::max<std::int64_t>(padding.before[d], 0), 1, count);
  }
  Copy(from, to);
  return out;
}

Tensor& reflection_pad1d_out(KernelRuntimeContext& context, const Tensor& self,
                             ArrayRef<int64_t> padding, Tensor& out) {
  return Reflect(context, self, padding, 1, out);
}

Tensor& reflection_pad2d_out(KernelRuntimeContext& context, const Tensor& self,
                             ArrayRef<int64_t> padding, Tensor& out) {
  return Reflect(context, self, padding, 2, out);
}

Tensor& reflection_pad3d_out(KernelRuntimeContext& context, const Tensor& self,
                             ArrayRef<int64_t> padding, Tensor& out) {
  return Reflect(context, self, padding, 3, out);
}

Tensor& replication_pad1d_out(KernelRuntimeContext& context, const Tensor& self,
                              ArrayRef<int64_t> padding, Tensor& out) {
  return Replicate(context, self, padding, 1, out);
}

Tensor& replication_pad2d_out(KernelRuntimeContext& context, const Tensor& self,
                              ArrayRef<int64_t> padding, Tensor& out) {
  return Replicate(context, self, padding, 2, out);
}

Tensor& replication_pad3d_out(KernelRuntimeContext& context, const Tensor& self,
                              ArrayRef<int64_t> padding, Tensor& out) {
  return Replicate(context, self, padding, 3, out);
}

}  // namespace native
}  // namespace executor
}  // namespace torch
