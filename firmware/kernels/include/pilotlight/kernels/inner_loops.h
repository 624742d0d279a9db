// SPDX-License-Identifier: Apache-2.0
//
// The innermost loops of matrix products and convolutions, in a source of their own that is
// compiled for speed: everything else is compiled for size.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pilotlight::kernels {

// sum of a[i * a_stride] * b[i * b_stride]
float Dot(const float* a, ssize_t a_stride, const float* b, ssize_t b_stride, ssize_t count);

// to[i * to_stride] += factor * from[i * from_stride]; no overlap.
void AddScaled(float* to, ssize_t to_stride, const float* from, ssize_t from_stride, float factor,
               ssize_t count);

}  // namespace pilotlight::kernels
