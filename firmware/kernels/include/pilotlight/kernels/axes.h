// SPDX-License-Identifier: Apache-2.0
//
// Walking tensors axis by axis, whatever their order of dimensions: the axes that a
// reduction keeps, the axes it reduces. Shared by reductions, softmax, norms, topk.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "pilotlight/kernels/shape.h"

namespace pilotlight::kernels {

// One dimension of two tensors; strides count elements.
struct Axis {
  ssize_t size;
  ssize_t in_stride;
  ssize_t out_stride;
};

// Some axes, outermost first. Axes of size 1 are dropped, and an axis that continues the
// one before it in both tensors is merged with it, so that inner loops are long.
class Axes {
 public:
  void Add(Axis axis);

  std::size_t rank() const { return rank_; }
  const Axis& operator[](std::size_t i) const { return axes_[i]; }

  // Points that the axes span; 1 without axes.
  ssize_t Count() const;

 private:
  std::size_t rank_ = 0;
  Axis axes_[kMaxRank];
};

// Visits every point of the axes but, when `kInner` axes are left out at the end, only their first.
// The axes must span at least one point, and outlive the odometer.
class Odometer {
 public:
  explicit Odometer(const Axes& axes, std::size_t rank) : axes_(axes), rank_(rank) {}

  ssize_t in() const { return in_; }
  ssize_t out() const { return out_; }

  // False when all points have been visited.
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

// Calls body(in offset, count, in stride) for every innermost run of `axes`, in order.
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

// A reduction of `in` to `out`: for each point of `kept` the points of `reduced`.
struct Reduction {
  Axes kept;
  Axes reduced;
};

// What an empty list of dimensions stands for.
enum class NoDims { kAll, kNone };

// Resizes `out` and describes how to reduce `in` over `dims` (all of them if there is none) to it.
// False for a dimension that is out of range or named twice, for an output that does not take the
// shape, and for a tensor without memory.
bool PlanReduction(const Tensor& in, std::optional<ArrayRef<std::int64_t>> dims, bool keepdim,
                   Tensor& out, Reduction& plan, NoDims empty = NoDims::kAll);

// The lines of `in` along `dim` and those of `out`, a tensor of the same rank and the same sizes
// but along `dim`: `start` visits the first elements of lines, the strides lead along one.
struct Lines {
  Axes start;
  ssize_t in_size;
  ssize_t in_stride;
  ssize_t out_size;
  ssize_t out_stride;
};

// `dim` is normalised. A tensor without dimensions is one line of one element.
Lines LinesAlong(std::size_t dim, const Tensor& in, const Tensor& out);

}  // namespace pilotlight::kernels
