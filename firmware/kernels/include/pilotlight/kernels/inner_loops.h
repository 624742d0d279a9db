// SPDX-License-Identifier: Apache-2.0
//
// The innermost loops of matrix products and convolutions. The single-precision loops are in a
// separate source, which is compiled for speed. Everything else is compiled for size.
#pragma once

#include <cstddef>
#include <cstdint>

#include <executorch/runtime/platform/compiler.h>

namespace pilotlight::kernels {

// The sum of a[i * a_stride] * b[i * b_stride].
float Dot(const float* a, ssize_t a_stride, const float* b, ssize_t b_stride, ssize_t count);

inline double Dot(const double* a, ssize_t a_stride, const double* b, ssize_t b_stride,
                  ssize_t count) {
  double sum = 0;
  for (ssize_t i = 0; i < count; ++i) sum += a[i * a_stride] * b[i * b_stride];
  return sum;
}

// to[i * to_stride] += factor * from[i * from_stride]. The two do not overlap.
void AddScaled(float* to, ssize_t to_stride, const float* from, ssize_t from_stride, float factor,
               ssize_t count);

inline void AddScaled(double* to, ssize_t to_stride, const double* from, ssize_t from_stride,
                      double factor, ssize_t count) {
  for (ssize_t i = 0; i < count; ++i) to[i * to_stride] += factor * from[i * from_stride];
}

}  // namespace pilotlight::kernels
