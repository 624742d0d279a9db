// SPDX-License-Identifier: Apache-2.0
//
// The arithmetic of quantize_per_tensor and dequantize_per_tensor on arrays. The kernels use these
// functions for each element. PyTorch defines the results. Golden values:
// torch.ops.quantized_decomposed, tests/unit/firmware/executorch.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pilotlight::kernels {

struct Quantization {
  double scale;             // Real value of one step; must be positive.
  std::int64_t zero_point;  // The integer that stands for 0.0.
  std::int64_t min;         // Limits of the result, within those of its type.
  std::int64_t max;
};

// clamp(round(value / scale) + zero_point), rounding half to even. A value beyond a limit gives
// that limit; so does an infinity. NaN gives `min`.
template <typename Integer>
void Quantize(const float* values, std::size_t count, const Quantization& how, Integer* out);

// (value - zero_point) * scale, in single precision.
template <typename Integer>
void Dequantize(const Integer* values, std::size_t count, const Quantization& how, float* out);

}  // namespace pilotlight::kernels
