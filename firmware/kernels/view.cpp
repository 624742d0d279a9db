// SPDX-License-Identifier: Apache-2.0
#include "pilotlight/kernels/view.h"

#include <cstring>

namespace pilotlight::kernels {
namespace {

// Two views as one nest of loops. Loops with one iteration are dropped. Adjacent loops are joined
// if neither view has a gap between them.
struct Nest {
  std::size_t rank = 0;
  SizesType sizes[kMaxLoops];
  std::int32_t from[kMaxLoops];
  std::int32_t to[kMaxLoops];

  Nest(const View& source, const View& target) {
    for (std::size_t d = 0; d < target.rank; ++d) {
      const SizesType size = target.sizes[d];
      if (size == 1) continue;
      if (rank > 0 && from[rank - 1] == source.strides[d] * size &&
          to[rank - 1] == target.strides[d] * size) {
        sizes[rank - 1] *= size;
      } else {
        sizes[rank++] = size;
      }
      from[rank - 1] = source.strides[d];
      to[rank - 1] = target.strides[d];
    }
  }
};

template <typename Element>
void CopyRun(const std::byte* from, std::int32_t from_stride, std::byte* to, std::int32_t to_stride,
             SizesType count) {
  const auto* source = reinterpret_cast<const Element*>(from);
  auto* target = reinterpret_cast<Element*>(to);
  for (std::ptrdiff_t i = 0; i < count; ++i) target[i * to_stride] = source[i * from_stride];
}

using Run = void (*)(const std::byte*, std::int32_t, std::byte*, std::int32_t, SizesType);

Run RunFor(std::size_t element_bytes) {
  switch (element_bytes) {
    case 1:
      return CopyRun<std::uint8_t>;
    case 2:
      return CopyRun<std::uint16_t>;
    case 4:
      return CopyRun<std::uint32_t>;
    default:
      return CopyRun<std::uint64_t>;
  }
}

}  // namespace

void View::Append(SizesType size, std::int32_t stride) {
  sizes[rank] = size;
  strides[rank] = stride;
  ++rank;
}

void View::Slice(std::size_t dim, std::int64_t start, std::int64_t step, SizesType count) {
  if (count > 0) {
    data += static_cast<std::ptrdiff_t>(start * strides[dim]) *
            static_cast<std::ptrdiff_t>(element_bytes);
  }
  // A single index needs no stride, and `step` may have any value.
  strides[dim] = count > 1 ? static_cast<std::int32_t>(strides[dim] * step) : 0;
  sizes[dim] = count;
}

void View::Select(std::size_t dim, std::int64_t index) {
  Slice(dim, index, 1, 1);
  --rank;
  for (std::size_t d = dim; d < rank; ++d) {
    sizes[d] = sizes[d + 1];
    strides[d] = strides[d + 1];
  }
}

View ViewOf(const Tensor& tensor) {
  View view;
  view.data = static_cast<std::byte*>(const_cast<void*>(tensor.const_data_ptr()));
  view.element_bytes = static_cast<std::size_t>(tensor.element_size());
  for (std::size_t d = 0; d < static_cast<std::size_t>(tensor.dim()); ++d) {
    view.Append(tensor.sizes()[d], tensor.strides()[d]);
  }
  return view;
}

View BroadcastView(const Tensor& tensor, const Shape& shape) {
  const View own = ViewOf(tensor);
  View view;
  view.data = own.data;
  view.element_bytes = own.element_bytes;
  const std::size_t added = shape.rank - own.rank;
  for (std::size_t d = 0; d < shape.rank; ++d) {
    const bool repeated = d < added || own.sizes[d - added] == 1;
    view.Append(shape.sizes[d], repeated ? 0 : own.strides[d - added]);
  }
  return view;
}

void Copy(const View& from, const View& to) {
  for (std::size_t d = 0; d < to.rank; ++d) {
    if (to.sizes[d] == 0) return;
  }
  const Nest nest(from, to);
  const auto bytes = static_cast<std::int32_t>(to.element_bytes);
  const std::size_t outer = nest.rank == 0 ? 0 : nest.rank - 1;
  const SizesType count = nest.rank == 0 ? 1 : nest.sizes[outer];
  const std::int32_t from_stride = nest.rank == 0 ? 1 : nest.from[outer];
  const std::int32_t to_stride = nest.rank == 0 ? 1 : nest.to[outer];
  const bool whole = from_stride == 1 && to_stride == 1;
  const Run run = RunFor(to.element_bytes);
  SizesType index[kMaxLoops] = {};
  const std::byte* source = from.data;
  std::byte* target = to.data;
  for (;;) {
    if (whole) {
      std::memmove(target, source, static_cast<std::size_t>(count) * to.element_bytes);
    } else {
      run(source, from_stride, target, to_stride, count);
    }
    std::size_t d = outer;
    for (;; --d) {
      if (d == 0) return;
      const std::int32_t from_step = nest.from[d - 1] * bytes;
      const std::int32_t to_step = nest.to[d - 1] * bytes;
      source += from_step;
      target += to_step;
      if (++index[d - 1] < nest.sizes[d - 1]) break;
      source -= static_cast<std::ptrdiff_t>(from_step) * nest.sizes[d - 1];
      target -= static_cast<std::ptrdiff_t>(to_step) * nest.sizes[d - 1];
      index[d - 1] = 0;
    }
  }
}

void Fill(const void* value, const View& to) {
  View from = to;
  from.data = static_cast<std::byte*>(const_cast<void*>(value));
  for (std::size_t d = 0; d < from.rank; ++d) from.strides[d] = 0;
  Copy(from, to);
}

}  // namespace pilotlight::kernels
