// SPDX-License-Identifier: Apache-2.0
//
// glu.out: halves a dimension. Each element of the first half is multiplied by the sigmoid of its
// counterpart in the second half.
#include <cmath>
#include <cstdint>
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

template <typename T>
void GateLine(const T* in, T* out, const Lines& lines) {
  using W = std::conditional_t<std::is_same_v<T, double>, double, float>;
  for (ssize_t i = 0; i < lines.out_size; ++i) {
    const auto value = static_cast<W>(in[i * lines.in_stride]);
    const auto gate = static_cast<W>(in[(i + lines.out_size) * lines.in_stride]);
    out[i * lines.out_stride] = T(value / (1 + std::exp(-gate)));
  }
}

}  // namespace

Tensor& glu_out(KernelRuntimeContext& context, const Tensor& self, int64_t dim, Tensor& out) {
  constexpr auto kDtypes = Selected("aten::glu.out") & kFloats;
  std::size_t along = 0;
  Shape shape = ShapeOf(self);
  const bool sound = shape.rank > 0 && NormaliseDim(dim, shape.rank, along) &&
                     shape.sizes[along] % 2 == 0 && HasData(self) &&
                     out.scalar_type() == self.scalar_type() &&
                     Contains(kDtypes, self.scalar_type());
  shape.sizes[along] /= 2;
  if (!sound || !Resize(shape, out)) {
    Refuse(context);
    return out;
  }
  const Lines lines = LinesAlong(along, self, out);
  WithDtype<kDtypes>(self.scalar_type(), [&](auto type) {
    using T = decltype(type);
    ForEachPoint(lines.start, [&](ssize_t from, ssize_t to) {
      GateLine(self.const_data_ptr<T>() + from, out.mutable_data_ptr<T>() + to, lines);
    });
  });
  return out;
}

}  // namespace native
}  // namespace executor
}  // namespace torch
