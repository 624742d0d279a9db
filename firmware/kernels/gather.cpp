// SPDX-License-Identifier: Apache-2.0
//
// Elements by index: index_select, gather, scatter, index.Tensor, index_put. Every index is checked
// against its dimension before anything is written. Signatures derived from kernels.yaml.
#include <cstdint>
#include <optional>

#include "pilotlight/kernels/number.h"
#include "pilotlight/kernels/shape.h"
#include "pilotlight/kernels/view.h"

namespace torch {
namespace executor {
namespace native {
namespace {

using pilotlight::kernels::Broadcast;
using pilotlight::kernels::BroadcastView;
using pilotlight::kernels::Copy;
using pilotlight::kernels::Element;
using pilotlight::kernels::HasData;
using pilotlight::kernels::kMaxRank;
using pilotlight::kernels::NormaliseDim;
using pilotlight::kernels::Refuse;
using pilotlight::kernels::Resize;
using pilotlight::kernels::Selected;
using pilotlight::kernels::Shape;
using pilotlight::kernels::ShapeOf;
using pilotlight::kernels::SizesType;
using pilotlight::kernels::ToElement;
using pilotlight::kernels::View;
using pilotlight::kernels::ViewOf;

using Indices = ArrayRef<std::optional<Tensor>>;

// Reads the index at `data`. `element_bytes` tells int32 from int64.
std::int64_t IndexAt(const std::byte* data, std::size_t element_bytes) {
  if (element_bytes == sizeof(std::int32_t)) return *reinterpret_cast<const std::int32_t*>(data);
  return *reinterpret_cast<const std::int64_t*>(data);
}

// Whether all indices are in [lowest, size). A tensor is dense in some dim order, so its memory
// contains only its elements.
bool AllWithin(const Tensor& index, std::int64_t lowest, std::int64_t size) {
  if (index.scalar_type() != ScalarType::Int && index.scalar_type() != ScalarType::Long) {
    return false;
  }
  if (!HasData(index)) return false;
  const auto* data = static_cast<const std::byte*>(index.const_data_ptr());
  const auto bytes = static_cast<std::size_t>(index.element_size());
  for (std::size_t i = 0; i < static_cast<std::size_t>(index.numel()); ++i) {
    const std::int64_t value = IndexAt(data + i * bytes, bytes);
    if (value < lowest || value >= size) {
      ET_LOG(Error, "index %lld outside of a dimension of %lld", static_cast<long long>(value),
             static_cast<long long>(size));
      return false;
    }
  }
  return true;
}

// Steps through the positions of a shape, the last dimension fastest.
class Counter {
 public:
  explicit Counter(const Shape& shape) : shape_(shape) {
    for (std::size_t d = 0; d < shape.rank; ++d) left_ = left_ && shape.sizes[d] > 0;
  }

  bool left() const { return left_; }
  SizesType operator[](std::size_t d) const { return at_[d]; }

  void Next() {
    for (std::size_t d = shape_.rank; d-- > 0;) {
      if (++at_[d] < shape_.sizes[d]) return;
      at_[d] = 0;
    }
    left_ = false;
  }

  // The address of the current position in the first dimensions of `view`, as many as the shape
  // has. The other dimensions of `view` are at 0.
  std::byte* In(const View& view) const {
    std::ptrdiff_t offset = 0;
    for (std::size_t d = 0; d < shape_.rank; ++d) {
      offset += static_cast<std::ptrdiff_t>(at_[d]) * view.strides[d];
    }
    return view.data + offset * static_cast<std::ptrdiff_t>(view.element_bytes);
  }

 private:
  const Shape& shape_;
  SizesType at_[kMaxRank] = {};
  bool left_ = true;
};

// For gather and scatter: `index` may be smaller than `tensor` in each dimension; along `dim` it
// may have any size.
bool FitsWithin(const Tensor& index, const Tensor& tensor, std::size_t dim) {
  if (index.dim() != tensor.dim()) return false;
  for (std::size_t d = 0; d < static_cast<std::size_t>(index.dim()); ++d) {
    if (d != dim && index.sizes()[d] > tensor.sizes()[d]) return false;
  }
  return true;
}

bool FindDim(const Tensor& self, const Tensor& index, std::int64_t dim, std::size_t& found) {
  if (!NormaliseDim(dim, static_cast<std::size_t>(self.dim()), found)) return false;
  return AllWithin(index, 0, self.dim() == 0 ? 1 : self.sizes()[found]);
}

// Calls body(address in `other`, address in `indexed`) for each index. Both addresses have the same
// position, except that the index gives the position along `dim` of `indexed`.
template <typename Body>
void ForEachIndex(const Tensor& index, const View& indexed, const View& other, std::size_t dim,
                  Body body) {
  const Shape shape = ShapeOf(index);
  const View indices = ViewOf(index);
  for (Counter at(shape); at.left(); at.Next()) {
    const std::int64_t value = IndexAt(at.In(indices), indices.element_bytes);
    std::byte* place = at.In(indexed);
    if (shape.rank > 0) {
      place += static_cast<std::ptrdiff_t>((value - at[dim]) * indexed.strides[dim]) *
               static_cast<std::ptrdiff_t>(indexed.element_bytes);
    }
    body(at.In(other), place);
  }
}

// The indices of index.Tensor and index_put: the dimensions that they select from, and the sizes of
// the result.
struct Advanced {
  bool taken[kMaxRank] = {};
  Shape broadcast;  // Shape of the indices.
  // Where the broadcast dimensions begin in the result.
  std::size_t place = 0;
  Shape result;
};

bool Read(const Tensor& self, const Indices& indices, Advanced& advanced) {
  const auto rank = static_cast<std::size_t>(self.dim());
  if (indices.size() > rank) return false;
  std::size_t first = rank;
  std::size_t last = 0;
  std::size_t count = 0;
  for (std::size_t d = 0; d < indices.size(); ++d) {
    if (!indices[d].has_value()) continue;
    const std::int64_t size = self.sizes()[d];
    if (!AllWithin(*indices[d], -size, size) || !Broadcast(advanced.broadcast, *indices[d])) {
      return false;
    }
    advanced.taken[d] = true;
    if (count++ == 0) first = d;
    last = d;
  }
  if (count == 0) return false;
  // If the indexed dimensions are adjacent, the broadcast dimensions replace them in place.
  // Otherwise they come first.
  advanced.place = last - first + 1 == count ? first : 0;
  bool sound = true;
  const auto append_broadcast = [&] {
    for (std::size_t i = 0; i < advanced.broadcast.rank; ++i) {
      sound = sound && advanced.result.Append(advanced.broadcast.sizes[i]);
    }
  };
  std::size_t kept = 0;
  for (std::size_t d = 0; d < rank; ++d) {
    if (advanced.taken[d]) continue;
    if (kept++ == advanced.place) append_broadcast();
    sound = sound && advanced.result.Append(self.sizes()[d]);
  }
  if (kept <= advanced.place) append_broadcast();
  return sound;
}

// For each position of the broadcast indices, calls body(the part of `whole` that the indices
// select, the matching part of `listed`). `whole` has the tensor's dimensions, `listed` has the
// result's.
template <typename Body>
void ForEachPart(const Advanced& advanced, const Indices& indices, const View& whole,
                 const View& listed, Body body) {
  View part = whole;
  part.rank = 0;
  for (std::size_t d = 0; d < whole.rank; ++d) {
    if (!advanced.taken[d]) part.Append(whole.sizes[d], whole.strides[d]);
  }
  View by_index = listed;  // Only the broadcast dimensions.
  View other = listed;     // The other dimensions.
  by_index.rank = 0;
  other.rank = 0;
  for (std::size_t d = 0; d < listed.rank; ++d) {
    const bool indexed = d >= advanced.place && d < advanced.place + advanced.broadcast.rank;
    (indexed ? by_index : other).Append(listed.sizes[d], listed.strides[d]);
  }
  for (Counter at(advanced.broadcast); at.left(); at.Next()) {
    part.data = whole.data;
    for (std::size_t d = 0; d < indices.size(); ++d) {
      if (!advanced.taken[d]) continue;
      const View index = BroadcastView(*indices[d], advanced.broadcast);
      std::int64_t value = IndexAt(at.In(index), index.element_bytes);
      if (value < 0) value += whole.sizes[d];
      part.data += static_cast<std::ptrdiff_t>(value * whole.strides[d]) *
                   static_cast<std::ptrdiff_t>(whole.element_bytes);
    }
    other.data = at.In(by_index);
    body(part, other);
  }
}

}  // namespace

Tensor& index_select_out(KernelRuntimeContext& context, const Tensor& self, int64_t dim,
                         const Tensor& index, Tensor& out) {
  std::size_t d = 0;
  Shape shape = ShapeOf(self);
  if (index.dim() > 1 || self.scalar_type() != out.scalar_type() || !HasData(self) ||
      !FindDim(self, index, dim, d)) {
    Refuse(context);
    return out;
  }
  if (shape.rank > 0) shape.sizes[d] = static_cast<SizesType>(index.numel());
  if ((shape.rank == 0 && index.numel() != 1) || !Resize(shape, out)) {
    Refuse(context);
    return out;
  }
  const View indices = ViewOf(index);
  for (std::int64_t i = 0; i < index.numel(); ++i) {
    View from = ViewOf(self);
    View to = ViewOf(out);
    if (shape.rank > 0) {
      const std::byte* at = indices.data + static_cast<std::size_t>(i) * indices.element_bytes;
      from.Select(d, IndexAt(at, indices.element_bytes));
      to.Select(d, i);
    }
    Copy(from, to);
  }
  return out;
}

Tensor& gather_out(KernelRuntimeContext& context, const Tensor& self, int64_t dim,
                   const Tensor& index, bool sparse_grad, Tensor& out) {
  std::size_t d = 0;
  if (sparse_grad || self.scalar_type() != out.scalar_type() || !HasData(self) ||
      !FindDim(self, index, dim, d) || !FitsWithin(index, self, d) ||
      !Resize(ShapeOf(index), out)) {
    Refuse(context);
    return out;
  }
  const View from = ViewOf(self);
  ForEachIndex(index, from, ViewOf(out), d, [&](std::byte* to, const std::byte* element) {
    std::memcpy(to, element, from.element_bytes);
  });
  return out;
}

Tensor& scatter_src_out(KernelRuntimeContext& context, const Tensor& self, int64_t dim,
                        const Tensor& index, const Tensor& src, Tensor& out) {
  std::size_t d = 0;
  if (self.scalar_type() != out.scalar_type() || src.scalar_type() != out.scalar_type() ||
      !HasData(self) || !HasData(src) || !FindDim(self, index, dim, d) ||
      !FitsWithin(index, self, d) || !FitsWithin(index, src, d) ||
      (index.dim() > 0 && index.sizes()[d] > src.sizes()[d]) || !Resize(ShapeOf(self), out)) {
    Refuse(context);
    return out;
  }
  Copy(ViewOf(self), ViewOf(out));
  const View to = ViewOf(out);
  ForEachIndex(index, to, ViewOf(src), d, [&](const std::byte* element, std::byte* place) {
    std::memcpy(place, element, to.element_bytes);
  });
  return out;
}

Tensor& scatter_value_out(KernelRuntimeContext& context, const Tensor& self, int64_t dim,
                          const Tensor& index, const Scalar& value, Tensor& out) {
  std::size_t d = 0;
  Element element;
  if (self.scalar_type() != out.scalar_type() || !HasData(self) ||
      !ToElement<Selected("aten::scatter.value_out")>(value, out.scalar_type(), element) ||
      !FindDim(self, index, dim, d) || !FitsWithin(index, self, d) || !Resize(ShapeOf(self), out)) {
    Refuse(context);
    return out;
  }
  Copy(ViewOf(self), ViewOf(out));
  const View to = ViewOf(out);
  ForEachIndex(index, to, to, d, [&](const std::byte*, std::byte* place) {
    std::memcpy(place, element.bytes, to.element_bytes);
  });
  return out;
}

Tensor& index_Tensor_out(KernelRuntimeContext& context, const Tensor& self,
                         ArrayRef<std::optional<Tensor>> indices, Tensor& out) {
  Advanced advanced;
  if (self.scalar_type() != out.scalar_type() || !HasData(self) || !Read(self, indices, advanced) ||
      !Resize(advanced.result, out)) {
    Refuse(context);
    return out;
  }
  ForEachPart(advanced, indices, ViewOf(self), ViewOf(out),
              [](const View& part, const View& listed) { Copy(part, listed); });
  return out;
}

// Without accumulation. If a position is selected twice, the last value stays.
Tensor& index_put_out(KernelRuntimeContext& context, const Tensor& self,
                      ArrayRef<std::optional<Tensor>> indices, const Tensor& values,
                      bool accumulate, Tensor& out) {
  Advanced advanced;
  if (accumulate || self.scalar_type() != out.scalar_type() ||
      values.scalar_type() != out.scalar_type() || !HasData(self) || !HasData(values) ||
      !Read(self, indices, advanced)) {
    Refuse(context);
    return out;
  }
  Shape shape = advanced.result;
  if (!Broadcast(shape, values) || !shape.Sizes().equals(advanced.result.Sizes()) ||
      !Resize(ShapeOf(self), out)) {
    Refuse(context);
    return out;
  }
  Copy(ViewOf(self), ViewOf(out));
  ForEachPart(advanced, indices, ViewOf(out), BroadcastView(values, shape),
              [](const View& part, const View& listed) { Copy(listed, part); });
  return out;
}

}  // namespace native
}  // namespace executor
}  // namespace torch
