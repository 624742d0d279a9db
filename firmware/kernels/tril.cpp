// SPDX-License-Identifier: Apache-2.0
//
// tril: the part of each matrix on and below a diagonal. Signature derived from kernels.yaml.
#include <algorithm>
#include <cstdint>

#include "pilotlight/kernels/shape.h"
#include "pilotlight/kernels/view.h"

namespace torch {
namespace executor {
namespace native {

Tensor& tril_out(KernelRuntimeContext& context, const Tensor& self, int64_t diagonal, Tensor& out) {
  namespace kernels = pilotlight::kernels;
  if (self.dim() < 2 || self.scalar_type() != out.scalar_type() || !kernels::HasData(self) ||
      !kernels::Resize(kernels::ShapeOf(self), out)) {
    kernels::Refuse(context);
    return out;
  }
  constexpr std::uint64_t kZero = 0;
  const kernels::View from = kernels::ViewOf(self);
  const kernels::View to = kernels::ViewOf(out);
  const std::size_t rows = from.rank - 2;
  const std::int64_t columns = from.sizes[rows + 1];
  const std::int64_t first = std::clamp<std::int64_t>(diagonal, -from.sizes[rows] - 1, columns);
  for (std::int64_t row = 0; row < from.sizes[rows]; ++row) {
    const auto kept =
        static_cast<kernels::SizesType>(std::clamp<std::int64_t>(row + first + 1, 0, columns));
    kernels::View source = from;
    kernels::View target = to;
    kernels::View rest = to;
    source.Slice(rows, row, 1, 1);
    target.Slice(rows, row, 1, 1);
    rest.Slice(rows, row, 1, 1);
    source.Slice(rows + 1, 0, 1, kept);
    target.Slice(rows + 1, 0, 1, kept);
    rest.Slice(rows + 1, kept, 1, static_cast<kernels::SizesType>(columns - kept));
    kernels::Copy(source, target);
    kernels::Fill(&kZero, rest);
  }
  return out;
}

}  // namespace native
}  // namespace executor
}  // namespace torch
