// SPDX-License-Identifier: Apache-2.0
//
// permute_copy, transpose_copy, t_copy. Signatures derived from kernels.yaml.
#include <cstdint>
#include <utility>

#include "pilotlight/kernels/shape.h"
#include "pilotlight/kernels/view.h"

namespace torch {
namespace executor {
namespace native {
namespace {

using pilotlight::kernels::Copy;
using pilotlight::kernels::HasData;
using pilotlight::kernels::kMaxRank;
using pilotlight::kernels::NormaliseDim;
using pilotlight::kernels::Refuse;
using pilotlight::kernels::Resize;
using pilotlight::kernels::Shape;
using pilotlight::kernels::View;
using pilotlight::kernels::ViewOf;

// Dimension d of the output is dimension order[d] of the input.
Tensor& Permuted(KernelRuntimeContext& context, const Tensor& self, const std::size_t* order,
                 Tensor& out) {
  const View from = ViewOf(self);
  View permuted = from;
  Shape shape;
  for (std::size_t d = 0; d < from.rank; ++d) {
    permuted.sizes[d] = from.sizes[order[d]];
    permuted.strides[d] = from.strides[order[d]];
    shape.Append(permuted.sizes[d]);
  }
  if (self.scalar_type() != out.scalar_type() || !HasData(self) || !Resize(shape, out)) {
    Refuse(context);
  } else {
    Copy(permuted, ViewOf(out));
  }
  return out;
}

}  // namespace

Tensor& permute_copy_out(KernelRuntimeContext& context, const Tensor& self, ArrayRef<int64_t> dims,
                         Tensor& out) {
  const auto rank = static_cast<std::size_t>(self.dim());
  std::size_t order[kMaxRank] = {};
  bool taken[kMaxRank] = {};
  bool sound = dims.size() == rank;
  for (std::size_t d = 0; sound && d < rank; ++d) {
    sound = NormaliseDim(dims[d], rank, order[d]) && !taken[order[d]];
    taken[order[d]] = true;
  }
  if (!sound) {
    Refuse(context);
    return out;
  }
  return Permuted(context, self, order, out);
}

Tensor& transpose_copy_int_out(KernelRuntimeContext& context, const Tensor& self, int64_t dim0,
                               int64_t dim1, Tensor& out) {
  const auto rank = static_cast<std::size_t>(self.dim());
  std::size_t first = 0;
  std::size_t second = 0;
  if (!NormaliseDim(dim0, rank, first) || !NormaliseDim(dim1, rank, second)) {
    Refuse(context);
    return out;
  }
  std::size_t order[kMaxRank];
  for (std::size_t d = 0; d < kMaxRank; ++d) order[d] = d;
  std::swap(order[first], order[second]);
  return Permuted(context, self, order, out);
}

Tensor& t_copy_out(KernelRuntimeContext& context, const Tensor& self, Tensor& out) {
  if (self.dim() > 2) {
    Refuse(context);
    return out;
  }
  constexpr std::size_t kSwapped[] = {1, 0};
  constexpr std::size_t kSame[] = {0, 1};
  return Permuted(context, self, self.dim() == 2 ? kSwapped : kSame, out);
}

}  // namespace native
}  // namespace executor
}  // namespace torch
