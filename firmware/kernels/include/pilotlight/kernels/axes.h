// SPDX-License-Identifier: Apache-2.0
//
// Walks tensors axis by axis, in any dim order. An axis is one dimension of two tensors; a
// reduction keeps some axes and reduces the others. Used by reductions, softmax, norms and topk.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "pilotlight/kernels/shape.h"

namespace pilotlight::kernels {

// One dimension of two tensors. Strides are in elements.
struct Axis {
  ssize_t size;
  ssize_t in_stride;
  ssize_t out_stride;
};

// Several axes, outermost first. Add() drops an axis of size 1, and merges an axis that continues
// the previous one in both tensors, so inner loops are long.
class Axes {
 public:
  void Add(Axis axis);

  std::size_t rank() const { return rank_; }
  const Axis& operator[](std::size_t i) const { return axes_[i]; }

  // The number of points that the axes span; 1 without axes.
  ssize_t Count() const;

 private:
  std::size_t rank_ = 0;
  Axis axes_[kMaxRank];
};

// Visits every point of the first `rank` axes; the other axes stay at their first point. The axes
// must span at least one point, and must outlive the odometer.
class Odometer {
 public:
  explicit Odometer(const Axes& axes, std::size_t rank) : axes_(axes), rank_(rank) {}

  ssize_t in() const { return in_; }
  ssize_t out() const { return out_; }

  // False if all points have been visited.
  bool Next();

 private:
  const Axes& axes_;
  std::size_t rank_;
  ssize_t in_ = 0;
  ssize_t out_ = 0;
  ssize_t index_[kMaxRank] = {};
};

// Calls body(in offset, out offset) for every point of `axes`.
template <typename Body>
void ForEachPoint(const Axes& axes, Body body) {
  if (axes.Count() == 0) return;
  Odometer odometer(axes, axes.rank());
  do {
    body(odometer.in(), odometer.out());
  } while (odometer.Next());
}

// Calls body(in offset, count, in stride) for each innermost run of `axes`, in order.
template <typename Body>
void ForEachRun(const Axes& axes, Body body) {
  if (axes.rank() == 0) {
    body(ssize_t{0}, ssize_t{1}, ssize_t{1});
    return;
  }
  if (axes.Count() == 0) return;
  const Axis& last = axes[axes.rank() - 1];
  Odometer odometer(axes, axes.rank() - 1);
  do {
    body(odometer.in(), last.size, last.in_stride);
  } while (odometer.Next());
}

// A reduction of `in` to `out`: each point of `kept` is one result, over all points of `reduced`.
struct Reduction {
  Axes kept;
  Axes reduced;
};

// The meaning of an empty list of dimensions.
enum class NoDims { kAll, kNone };

// Resizes `out` and plans a reduction of `in` over `dims`; without `dims`, over all dimensions.
// False if a dimension is out of range or listed twice, if `out` cannot have the result's shape, or
// if a tensor has no memory.
bool PlanReduction(const Tensor& in, std::optional<ArrayRef<std::int64_t>> dims, bool keepdim,
                   Tensor& out, Reduction& plan, NoDims empty = NoDims::kAll);

// The lines of `in` and `out` along one dimension, `dim`. Both tensors have the same rank, and the
// same sizes except along `dim`. `start` visits the first element of each line; the strides lead
// along a line.
struct Lines {
  Axes start;
  ssize_t in_size;
  ssize_t in_stride;
  ssize_t out_size;
  ssize_t out_stride;
};

// `dim` must be normalised. A tensor with no dimensions is one line of one element.
Lines LinesAlong(std::size_t dim, const Tensor& in, const Tensor& out);

}  // namespace pilotlight::kernels
