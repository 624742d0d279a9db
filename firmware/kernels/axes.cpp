// SPDX-License-Identifier: Apache-2.0
#include "pilotlight/kernels/axes.h"

namespace pilotlight::kernels {

void Axes::Add(Axis axis) {
  if (axis.size == 1) return;
  if (rank_ > 0) {
    Axis& last = axes_[rank_ - 1];
    if (last.in_stride == axis.in_stride * axis.size &&
        last.out_stride == axis.out_stride * axis.size) {
      last = {last.size * axis.size, axis.in_stride, axis.out_stride};
      return;
    }
  }
  axes_[rank_++] = axis;
}

ssize_t Axes::Count() const {
  ssize_t count = 1;
  for (std::size_t i = 0; i < rank_; ++i) count *= axes_[i].size;
  return count;
}

bool Odometer::Next() {
  for (std::size_t i = rank_; i-- > 0;) {
    const Axis& axis = axes_[i];
    in_ += axis.in_stride;
    out_ += axis.out_stride;
    if (++index_[i] < axis.size) return true;
    in_ -= axis.in_stride * axis.size;
    out_ -= axis.out_stride * axis.size;
    index_[i] = 0;
  }
  return false;
}

bool PlanReduction(const Tensor& in, std::optional<ArrayRef<std::int64_t>> dims, bool keepdim,
                   Tensor& out, Reduction& plan, NoDims empty) {
  const auto rank = static_cast<std::size_t>(in.dim());
  if (rank > kMaxRank || !HasData(in)) return false;
  bool reduced[kMaxRank] = {};
  const bool all = !dims.has_value() || (dims->empty() && empty == NoDims::kAll);
  if (!all) {
    for (const std::int64_t dim : *dims) {
      std::size_t normalised = 0;
      if (!NormaliseDim(dim, rank, normalised) || reduced[normalised]) return false;
      reduced[normalised] = true;
    }
  }
  Shape shape;
  for (std::size_t d = 0; d < rank; ++d) {
    reduced[d] |= all;
    if (!reduced[d]) {
      shape.Append(in.sizes()[d]);
    } else if (keepdim) {
      shape.Append(1);
    }
  }
  if (!Resize(shape, out)) return false;
  std::size_t at = 0;
  for (std::size_t d = 0; d < rank; ++d) {
    if (reduced[d]) {
      plan.reduced.Add({in.sizes()[d], in.strides()[d], 0});
      at += keepdim ? 1 : 0;
    } else {
      plan.kept.Add({in.sizes()[d], in.strides()[d], out.strides()[at++]});
    }
  }
  return true;
}

Lines LinesAlong(std::size_t dim, const Tensor& in, const Tensor& out) {
  Lines lines{{}, 1, 1, 1, 1};
  for (std::size_t d = 0; d < static_cast<std::size_t>(in.dim()); ++d) {
    const ssize_t size = in.sizes()[d];
    const ssize_t in_stride = in.strides()[d];
    const ssize_t out_stride = out.strides()[d];
    if (d == dim) {
      lines.in_size = size;
      lines.in_stride = in_stride;
      lines.out_size = out.sizes()[d];
      lines.out_stride = out_stride;
    } else {
      lines.start.Add({size, in_stride, out_stride});
    }
  }
  return lines;
}

}  // namespace pilotlight::kernels
