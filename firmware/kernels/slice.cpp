// SPDX-License-Identifier: Apache-2.0
//
// Parts of a tensor: slice, select, narrow, split, unbind, diagonal, unfold. slice_scatter and
// select_scatter replace a part. Signatures derived from kernels.yaml.
#include <algorithm>
#include <cstdint>
#include <limits>
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

// A part of one dimension, inside its bounds.
struct Part {
  std::size_t dim = 0;
  std::int64_t start = 0;
  std::int64_t step = 1;
  SizesType count = 0;
};

// Slices as Python does: negative positions count from the end, and the range is cut to the
// dimension.
bool FindSlice(const Tensor& tensor, std::int64_t dim, const std::optional<std::int64_t>& start,
               const std::optional<std::int64_t>& end, std::int64_t step, Part& part) {
  if (tensor.dim() == 0 || step <= 0 ||
      !NormaliseDim(dim, static_cast<std::size_t>(tensor.dim()), part.dim)) {
    return false;
  }
  const std::int64_t size = tensor.sizes()[part.dim];
  const auto place = [size](std::int64_t index) {
    return std::clamp<std::int64_t>(index < 0 ? std::max(index, -size) + size : index, 0, size);
  };
  part.start = place(start.value_or(0));
  const std::int64_t length = std::max<std::int64_t>(place(end.value_or(size)) - part.start, 0);
  part.step = step;
  part.count = static_cast<SizesType>(length / step + (length % step != 0 ? 1 : 0));
  return true;
}

bool FindIndex(const Tensor& tensor, std::int64_t dim, std::int64_t index, Part& part) {
  if (tensor.dim() == 0 || !NormaliseDim(dim, static_cast<std::size_t>(tensor.dim()), part.dim)) {
    return false;
  }
  const std::int64_t size = tensor.sizes()[part.dim];
  if (index < -size || index >= size) return false;
  part.start = index < 0 ? index + size : index;
  part.count = 1;
  return true;
}

Shape ShapeOf(const View& view) {
  Shape shape;
  for (std::size_t d = 0; d < view.rank; ++d) shape.Append(view.sizes[d]);
  return shape;
}

// Copies the view `from`, which shows elements of `self`.
void CopyView(KernelRuntimeContext& context, const Tensor& self, const View& from, Tensor& out) {
  if (self.scalar_type() != out.scalar_type() || !HasData(self) ||
      from.rank > pilotlight::kernels::kMaxRank || !Resize(ShapeOf(from), out)) {
    Refuse(context);
  } else {
    Copy(from, ViewOf(out));
  }
}

void CopyPart(KernelRuntimeContext& context, const Tensor& self, const Part& part, Tensor& out) {
  View from = ViewOf(self);
  from.Slice(part.dim, part.start, part.step, part.count);
  CopyView(context, self, from, out);
}

// Copies `self` to `out`, with `src` in place of the part. If `selects`, `src` does not have the
// part's dimension.
Tensor& Replace(KernelRuntimeContext& context, const Tensor& self, const Tensor& src,
                const Part& part, bool selects, Tensor& out) {
  View replaced = ViewOf(self);
  if (selects) {
    replaced.Select(part.dim, part.start);
  } else {
    replaced.Slice(part.dim, part.start, part.step, part.count);
  }
  if (self.scalar_type() != out.scalar_type() || src.scalar_type() != out.scalar_type() ||
      !src.sizes().equals(ShapeOf(replaced).Sizes()) || !HasData(self) || !HasData(src) ||
      !Resize(ShapeOf(self), out)) {
    Refuse(context);
    return out;
  }
  Copy(ViewOf(self), ViewOf(out));
  View to = ViewOf(out);
  if (selects) {
    to.Select(part.dim, part.start);
  } else {
    to.Slice(part.dim, part.start, part.step, part.count);
  }
  Copy(ViewOf(src), to);
  return out;
}

// `size_of(i)` is the size of output i along `dim`. All sizes are checked before an output is
// written.
template <typename SizeOf>
void Split(KernelRuntimeContext& context, const Tensor& self, std::int64_t dim, TensorList out,
           SizeOf size_of) {
  Part part;
  if (self.dim() == 0 || !NormaliseDim(dim, static_cast<std::size_t>(self.dim()), part.dim)) {
    Refuse(context);
    return;
  }
  std::int64_t left = self.sizes()[part.dim];
  bool sound = true;
  for (std::size_t i = 0; sound && i < out.size(); ++i) {
    const std::int64_t size = size_of(i);
    sound = size >= 0 && size <= left && out[i].scalar_type() == self.scalar_type();
    left -= size;
  }
  if (!sound || left != 0) {
    Refuse(context);
    return;
  }
  for (std::size_t i = 0; i < out.size(); ++i) {
    part.count = static_cast<SizesType>(size_of(i));
    Tensor piece = out[i];
    CopyPart(context, self, part, piece);
    part.start += part.count;
  }
}

}  // namespace

Tensor& slice_copy_Tensor_out(KernelRuntimeContext& context, const Tensor& self, int64_t dim,
                              std::optional<int64_t> start, std::optional<int64_t> end,
                              int64_t step, Tensor& out) {
  Part part;
  if (!FindSlice(self, dim, start, end, step, part)) {
    Refuse(context);
  } else {
    CopyPart(context, self, part, out);
  }
  return out;
}

Tensor& narrow_copy_out(KernelRuntimeContext& context, const Tensor& self, int64_t dim,
                        int64_t start, int64_t length, Tensor& out) {
  Part part;
  if (!FindSlice(self, dim, std::nullopt, std::nullopt, 1, part)) {
    Refuse(context);
    return out;
  }
  const std::int64_t size = part.count;
  part.start = start < 0 ? start + size : start;
  if (start < -size || start > size || length < 0 || length > size - part.start) {
    Refuse(context);
    return out;
  }
  part.count = static_cast<SizesType>(length);
  CopyPart(context, self, part, out);
  return out;
}

Tensor& select_copy_int_out(KernelRuntimeContext& context, const Tensor& self, int64_t dim,
                            int64_t index, Tensor& out) {
  Part part;
  if (!FindIndex(self, dim, index, part)) {
    Refuse(context);
    return out;
  }
  View from = ViewOf(self);
  from.Select(part.dim, part.start);
  CopyView(context, self, from, out);
  return out;
}

void split_copy_Tensor_out(KernelRuntimeContext& context, const Tensor& self, int64_t split_size,
                           int64_t dim, TensorList out) {
  std::size_t normalised = 0;
  if (split_size < 0 || self.dim() == 0 ||
      !NormaliseDim(dim, static_cast<std::size_t>(self.dim()), normalised)) {
    Refuse(context);
    return;
  }
  const std::int64_t size = self.sizes()[normalised];
  // The last piece may be smaller. A split size of 0 is for a dimension of size 0, and gives one
  // piece.
  const std::int64_t pieces =
      split_size == 0 ? 1 : std::max<std::int64_t>(size / split_size + (size % split_size != 0), 1);
  if (pieces != static_cast<std::int64_t>(out.size())) {
    Refuse(context);
    return;
  }
  Split(context, self, dim, out, [&](std::size_t i) {
    return std::min(split_size, size - static_cast<std::int64_t>(i) * split_size);
  });
}

void split_with_sizes_copy_out(KernelRuntimeContext& context, const Tensor& self,
                               ArrayRef<int64_t> split_sizes, int64_t dim, TensorList out) {
  if (split_sizes.size() != out.size()) {
    Refuse(context);
    return;
  }
  Split(context, self, dim, out, [&](std::size_t i) { return split_sizes[i]; });
}

void unbind_copy_int_out(KernelRuntimeContext& context, const Tensor& self, int64_t dim,
                         TensorList out) {
  const Shape own = ShapeOf(self);
  std::size_t normalised = 0;
  bool sound = own.rank > 0 && NormaliseDim(dim, own.rank, normalised) &&
               static_cast<std::size_t>(own.sizes[normalised]) == out.size();
  for (std::size_t i = 0; sound && i < out.size(); ++i) {
    sound = out[i].scalar_type() == self.scalar_type();
  }
  if (!sound) {
    Refuse(context);
    return;
  }
  for (std::size_t i = 0; i < out.size(); ++i) {
    View from = ViewOf(self);
    from.Select(normalised, static_cast<std::int64_t>(i));
    Tensor piece = out[i];
    CopyView(context, self, from, piece);
  }
}

Tensor& slice_scatter_out(KernelRuntimeContext& context, const Tensor& self, const Tensor& src,
                          int64_t dim, std::optional<int64_t> start, std::optional<int64_t> end,
                          int64_t step, Tensor& out) {
  Part part;
  if (!FindSlice(self, dim, start, end, step, part)) {
    Refuse(context);
    return out;
  }
  return Replace(context, self, src, part, /*selects=*/false, out);
}

Tensor& select_scatter_out(KernelRuntimeContext& context, const Tensor& self, const Tensor& src,
                           int64_t dim, int64_t index, Tensor& out) {
  Part part;
  if (!FindIndex(self, dim, index, part)) {
    Refuse(context);
    return out;
  }
  return Replace(context, self, src, part, /*selects=*/true, out);
}

// The diagonal becomes the last dimension.
Tensor& diagonal_copy_out(KernelRuntimeContext& context, const Tensor& self, int64_t offset,
                          int64_t dim1, int64_t dim2, Tensor& out) {
  const auto rank = static_cast<std::size_t>(self.dim());
  std::size_t row = 0;
  std::size_t column = 0;
  if (rank < 2 || !NormaliseDim(dim1, rank, row) || !NormaliseDim(dim2, rank, column) ||
      row == column) {
    Refuse(context);
    return out;
  }
  View from = ViewOf(self);
  const std::int64_t rows = from.sizes[row];
  const std::int64_t columns = from.sizes[column];
  const std::int64_t down = offset < 0 ? -std::max(offset, -rows) : 0;
  const std::int64_t right = offset > 0 ? std::min(offset, columns) : 0;
  const auto length = static_cast<SizesType>(std::min(rows - down, columns - right));
  const std::int32_t stride = from.strides[row] + from.strides[column];
  from.Slice(row, down, 1, length > 0 ? 1 : 0);
  from.Slice(column, right, 1, length > 0 ? 1 : 0);
  from.Select(std::max(row, column), 0);
  from.Select(std::min(row, column), 0);
  from.Append(length, stride);
  CopyView(context, self, from, out);
  return out;
}

// Windows of `size` elements, `step` apart. The elements of a window are a new last dimension.
Tensor& unfold_copy_out(KernelRuntimeContext& context, const Tensor& self, int64_t dimension,
                        int64_t size, int64_t step, Tensor& out) {
  const auto rank = static_cast<std::size_t>(self.dim());
  std::size_t dim = 0;
  if (rank == 0 || rank == pilotlight::kernels::kMaxRank || !NormaliseDim(dimension, rank, dim) ||
      size < 0 || size > self.sizes()[dim] || step <= 0) {
    Refuse(context);
    return out;
  }
  View from = ViewOf(self);
  const std::int32_t stride = from.strides[dim];
  from.Slice(dim, 0, step, static_cast<SizesType>((from.sizes[dim] - size) / step + 1));
  from.Append(static_cast<SizesType>(size), stride);
  CopyView(context, self, from, out);
  return out;
}

// Allows any strides that stay inside the memory. Strides are in elements and not negative.
Tensor& as_strided_copy_out(KernelRuntimeContext& context, const Tensor& self,
                            ArrayRef<int64_t> size, ArrayRef<int64_t> stride,
                            std::optional<int64_t> storage_offset, Tensor& out) {
  View from = ViewOf(self);
  from.rank = 0;
  std::int64_t last = storage_offset.value_or(0);
  bool sound = size.size() == stride.size() && size.size() <= pilotlight::kernels::kMaxRank &&
               last >= 0 && last <= self.numel();
  // An empty walk reads no memory, so its other dimensions may have any reach.
  const bool empty = std::any_of(size.begin(), size.end(), [](std::int64_t n) { return n == 0; });
  for (std::size_t d = 0; sound && d < size.size(); ++d) {
    constexpr std::int64_t kMost = std::numeric_limits<SizesType>::max();
    sound = size[d] >= 0 && size[d] <= kMost && stride[d] >= 0 && stride[d] <= kMost;
    if (!sound) break;
    from.Append(static_cast<SizesType>(size[d]), static_cast<std::int32_t>(stride[d]));
    if (empty || size[d] == 1) continue;
    // `last` is at most numel here and the factors fit 32 bits, so nothing overflows.
    last += (size[d] - 1) * stride[d];
    sound = last < self.numel();
  }
  if (!sound || (!empty && last >= self.numel())) {
    Refuse(context);
    return out;
  }
  from.data += static_cast<std::ptrdiff_t>(storage_offset.value_or(0)) *
               static_cast<std::ptrdiff_t>(from.element_bytes);
  CopyView(context, self, from, out);
  return out;
}

}  // namespace native
}  // namespace executor
}  // namespace torch
