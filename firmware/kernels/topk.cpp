// SPDX-License-Identifier: Apache-2.0
//
// topk.values: the first k elements, sorted. Of equal elements, the one with the lower index comes
// first. NaN counts as the largest.
#include <cmath>
#include <cstdint>
#include <tuple>
#include <type_traits>

#include <executorch/runtime/kernel/kernel_includes.h>

#include "pilotlight/kernels/axes.h"
#include "pilotlight/kernels/dtype.h"
#include "pilotlight/kernels/shape.h"

namespace torch {
namespace executor {
namespace native {
namespace {

using namespace pilotlight::kernels;  // NOLINT(google-build-using-namespace)

// True if `a` comes before `b` by value. Indices are compared elsewhere.
template <typename T>
bool Before(T a, T b, bool largest) {
  if (largest) return a > b || (IsNotANumber(a) && !IsNotANumber(b));
  return a < b || (IsNotANumber(b) && !IsNotANumber(a));
}

// There is no scratch memory to sort in, so each of the k passes finds the next element in order.
template <typename T>
void FindFirst(const T* in, const Lines& lines, bool largest, T* values, std::int64_t* indices) {
  ssize_t last = -1;
  for (ssize_t k = 0; k < lines.out_size; ++k) {
    ssize_t best = -1;
    for (ssize_t i = 0; i < lines.in_size; ++i) {
      const T value = in[i * lines.in_stride];
      if (last >= 0) {
        const T previous = in[last * lines.in_stride];
        const bool behind =
            Before(previous, value, largest) || (!Before(value, previous, largest) && i > last);
        if (!behind) continue;
      }
      if (best < 0 || Before(value, in[best * lines.in_stride], largest)) best = i;
    }
    values[k * lines.out_stride] = in[best * lines.in_stride];
    indices[k * lines.out_stride] = best;
    last = best;
  }
}

}  // namespace

// The result is sorted even if `sorted` is false.
std::tuple<Tensor&, Tensor&> topk_values(KernelRuntimeContext& context, const Tensor& self,
                                         int64_t k, int64_t dim, bool largest, bool sorted,
                                         Tensor& values, Tensor& indices) {
  constexpr auto kDtypes = Selected("aten::topk.values") & kNumbers;
  static_cast<void>(sorted);
  const std::tuple<Tensor&, Tensor&> results{values, indices};
  std::size_t along = 0;
  Shape shape = ShapeOf(self);
  bool sound = NormaliseDim(dim, shape.rank, along) && k >= 0 && HasData(self) &&
               values.scalar_type() == self.scalar_type() &&
               indices.scalar_type() == ScalarType::Long && Contains(kDtypes, self.scalar_type()) &&
               k <= (shape.rank == 0 ? 1 : shape.sizes[along]);
  if (sound && shape.rank > 0) shape.sizes[along] = static_cast<SizesType>(k);
  sound = sound && Resize(shape, values) && Resize(shape, indices) &&
          tensors_have_same_dim_order(values, indices);
  if (!sound) {
    Refuse(context);
    return results;
  }
  Lines lines = LinesAlong(along, self, values);
  if (self.dim() == 0) lines.out_size = static_cast<ssize_t>(k);
  WithDtype<kDtypes>(self.scalar_type(), [&](auto type) {
    using T = decltype(type);
    ForEachPoint(lines.start, [&](ssize_t from, ssize_t to) {
      FindFirst(self.const_data_ptr<T>() + from, lines, largest, values.mutable_data_ptr<T>() + to,
                indices.mutable_data_ptr<std::int64_t>() + to);
    });
  });
  return results;
}

}  // namespace native
}  // namespace executor
}  // namespace torch
