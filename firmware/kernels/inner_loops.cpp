// SPDX-License-Identifier: Apache-2.0
#include "pilotlight/kernels/inner_loops.h"

// At this level GCC vectorises the loops over adjacent elements with Helium. On Cortex-M55, a
// vectorised loop takes five instructions for four products, where -Os takes six for one.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O3")
#endif

namespace pilotlight::kernels {

float Dot(const float* a, ssize_t a_stride, const float* b, ssize_t b_stride, ssize_t count) {
  float sum = 0;
  ssize_t i = 0;
  if (a_stride == 1 && b_stride == 1) {
    // A compiler must not reorder additions. The code therefore adds in four lanes, as Helium does.
    float lanes[4] = {};
    for (; i + 4 <= count; i += 4) {
      for (ssize_t lane = 0; lane < 4; ++lane) lanes[lane] += a[i + lane] * b[i + lane];
    }
    sum = (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]);
  }
  for (; i < count; ++i) sum += a[i * a_stride] * b[i * b_stride];
  return sum;
}

void AddScaled(float* __restrict to, ssize_t to_stride, const float* __restrict from,
               ssize_t from_stride, float factor, ssize_t count) {
  if (to_stride == 1 && from_stride == 1) {
    for (ssize_t i = 0; i < count; ++i) to[i] += factor * from[i];
  } else {
    for (ssize_t i = 0; i < count; ++i) to[i * to_stride] += factor * from[i * from_stride];
  }
}

}  // namespace pilotlight::kernels
