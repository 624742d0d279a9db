// SPDX-License-Identifier: Apache-2.0
//
// expand_copy, repeat, flip, roll: repeat or reorder a tensor's elements. Signatures derived from
// kernels.yaml.
#include <cstdint>

#include "pilotlight/kernels/shape.h"
#include "pilotlight/kernels/view.h"

namespace torch {
namespace executor {
namespace native {
namespace {

using pilotlight::kernels::Broadcast;
using pilotlight::kernels::BroadcastView;
using pilotlight::kernels::Copy;
using pilotlight::kernels::HasData;
using pilotlight::kernels::kMaxRank;
using pilotlight::kernels::NormaliseDim;
using pilotlight::kernels::Refuse;
using pilotlight::kernels::Resize;
using pilotlight::kernels::Shape;
using pilotlight::kernels::ShapeOf;
using pilotlight::kernels::SizesType;
using pilotlight::kernels::View;
using pilotlight::kernels::ViewOf;

bool Prepare(const Tensor& self, const Shape& shape, Tensor& out) {
  return self.scalar_type() == out.scalar_type() && HasData(self) && Resize(shape, out);
}

}  // namespace

// A size of -1 keeps the tensor's size.
Tensor& expand_copy_out(KernelRuntimeContext& context, const Tensor& self, ArrayRef<int64_t> size,
                        bool implicit, Tensor& out) {
  const auto rank = static_cast<std::size_t>(self.dim());
  bool sound = !implicit && size.size() >= rank;
  Shape shape;
  for (std::size_t d = 0; sound && d < size.size(); ++d) {
    const bool own = size[d] == -1 && d + rank >= size.size();
    sound = shape.Append(own ? self.sizes()[d + rank - size.size()] : size[d]);
  }
  Shape broadcast = shape;
  if (!sound || !Broadcast(broadcast, self) || !broadcast.Sizes().equals(shape.Sizes()) ||
      !Prepare(self, shape, out)) {
    Refuse(context);
  } else {
    Copy(BroadcastView(self, shape), ViewOf(out));
  }
  return out;
}

// Two loops for each dimension: the repetitions, and the elements that are repeated.
Tensor& repeat_out(KernelRuntimeContext& context, const Tensor& self, ArrayRef<int64_t> repeats,
                   Tensor& out) {
  const View own = ViewOf(self);
  bool sound = repeats.size() >= own.rank && repeats.size() <= kMaxRank;
  Shape shape;
  for (std::size_t d = 0; sound && d < repeats.size(); ++d) {
    const bool added = d + own.rank < repeats.size();
    std::int64_t size = added ? 1 : own.sizes[d + own.rank - repeats.size()];
    sound =
        repeats[d] >= 0 && !__builtin_mul_overflow(size, repeats[d], &size) && shape.Append(size);
  }
  if (!sound || !Prepare(self, shape, out)) {
    Refuse(context);
    return out;
  }
  const View result = ViewOf(out);
  View from = own;
  View to = result;
  from.rank = 0;
  to.rank = 0;
  for (std::size_t d = 0; d < shape.rank; ++d) {
    const bool added = d + own.rank < shape.rank;
    const std::size_t at = d + own.rank - shape.rank;
    const SizesType size = added ? 1 : own.sizes[at];
    const auto times = static_cast<SizesType>(size == 0 ? 0 : repeats[d]);
    from.Append(times, 0);
    from.Append(size, added ? 0 : own.strides[at]);
    to.Append(times, result.strides[d] * size);
    to.Append(size, result.strides[d]);
  }
  Copy(from, to);
  return out;
}

Tensor& flip_out(KernelRuntimeContext& context, const Tensor& self, ArrayRef<int64_t> dims,
                 Tensor& out) {
  View from = ViewOf(self);
  bool flipped[kMaxRank] = {};
  for (const std::int64_t dim : dims) {
    std::size_t d = 0;
    if (!NormaliseDim(dim, from.rank, d) || flipped[d]) {
      Refuse(context);
      return out;
    }
    flipped[d] = true;
    if (d < from.rank && from.sizes[d] > 0) {
      from.Slice(d, from.sizes[d] - 1, -1, from.sizes[d]);
    }
  }
  if (!Prepare(self, ShapeOf(self), out)) {
    Refuse(context);
  } else {
    Copy(from, ViewOf(out));
  }
  return out;
}

// Without `dims`, the tensor is rolled as one flat array.
Tensor& roll_out(KernelRuntimeContext& context, const Tensor& self, ArrayRef<int64_t> shifts,
                 ArrayRef<int64_t> dims, Tensor& out) {
  const View own = ViewOf(self);
  const bool whole = dims.empty() && shifts.size() == 1;
  // The roll of each dimension, 0 <= shift < size. A dimension may be listed twice.
  std::int64_t shift[kMaxRank] = {};
  bool sound = whole ? tensor_is_contiguous(self) && tensor_is_contiguous(out)
                     : dims.size() == shifts.size() && !dims.empty() && own.rank > 0;
  for (std::size_t i = 0; sound && !whole && i < dims.size(); ++i) {
    std::size_t d = 0;
    sound = NormaliseDim(dims[i], own.rank, d);
    if (!sound || own.sizes[d] == 0) continue;
    const std::int64_t size = own.sizes[d];
    shift[d] = ((shift[d] + shifts[i] % size) % size + size) % size;
  }
  if (!sound || !Prepare(self, ShapeOf(self), out)) {
    Refuse(context);
    return out;
  }
  if (self.numel() == 0) return out;
  View source = own;
  View target = ViewOf(out);
  if (whole) {
    const auto count = static_cast<SizesType>(self.numel());
    source.rank = 0;
    source.Append(count, 1);
    target.rank = 0;
    target.Append(count, 1);
    shift[0] = (shifts[0] % count + count) % count;
  }
  // A rolled dimension consists of two parts. Each combination of parts is copied once, which makes
  // 2^count copies. Usually one or two dimensions are rolled.
  std::size_t rolled[kMaxRank];
  std::size_t count = 0;
  for (std::size_t d = 0; d < source.rank; ++d) {
    if (shift[d] != 0) rolled[count++] = d;
  }
  for (std::uint32_t parts = 0; parts < std::uint32_t{1} << count; ++parts) {
    View from = source;
    View to = target;
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t d = rolled[i];
      const auto behind = static_cast<SizesType>(shift[d]);
      const SizesType before = from.sizes[d] - behind;
      const bool wraps = (parts >> i & 1) != 0;
      from.Slice(d, wraps ? before : 0, 1, wraps ? behind : before);
      to.Slice(d, wraps ? 0 : behind, 1, wraps ? behind : before);
    }
    Copy(from, to);
  }
  return out;
}

}  // namespace native
}  // namespace executor
}  // namespace torch
