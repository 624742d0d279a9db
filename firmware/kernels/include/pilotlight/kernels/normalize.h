// SPDX-License-Identifier: Apache-2.0
//
// Shared by layer, group and batch normalisation: mean and variance over some axes, and an optional
// weight or bias with one element per channel.
#pragma once

#include <cmath>
#include <cstdint>
#include <optional>

#include "pilotlight/kernels/axes.h"
#include "pilotlight/kernels/dtype.h"

namespace pilotlight::kernels {

struct Statistics {
  double mean;
  double inverse_deviation;  // 1 / sqrt(variance + epsilon)
};

// Computed in two passes, in double precision. NaN if there are no elements.
template <typename T>
Statistics StatisticsOf(const T* values, const Axes& axes, double epsilon) {
  const auto count = static_cast<double>(axes.Count());
  double sum = 0;
  ForEachRun(axes, [&](ssize_t offset, ssize_t run, ssize_t stride) {
    for (ssize_t i = 0; i < run; ++i) sum += Convert<double>(values[offset + i * stride]);
  });
  const double mean = sum / count;
  double squares = 0;
  ForEachRun(axes, [&](ssize_t offset, ssize_t run, ssize_t stride) {
    for (ssize_t i = 0; i < run; ++i) {
      const double difference = Convert<double>(values[offset + i * stride]) - mean;
      squares += difference * difference;
    }
  });
  return {mean, 1.0 / std::sqrt(squares / count + epsilon)};
}

// Element `i` of a weight or bias; `missing` if there is no weight or bias.
template <typename T>
double ElementOr(const T* values, ssize_t i, double missing) {
  return values == nullptr ? missing : Convert<double>(values[i]);
}

template <typename T>
const T* DataOrNull(const std::optional<Tensor>& tensor) {
  return tensor ? tensor->const_data_ptr<T>() : nullptr;
}

// True if the tensor is absent, or has `count` elements of `dtype` in default order.
bool IsParameter(const std::optional<Tensor>& tensor, ssize_t count, ScalarType dtype);

}  // namespace pilotlight::kernels
