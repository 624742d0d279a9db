// SPDX-License-Identifier: Apache-2.0
#include "pilotlight/kernels/quantize.h"

#include <cmath>
#include <cstdint>

namespace pilotlight::kernels {
namespace {

// Rounds half to even. Every supported platform starts in this rounding mode and stays in it. On
// Cortex-M55 the rounding is one instruction (VRINTR).
float RoundHalfToEven(float value) { return std::nearbyint(value); }

}  // namespace

template <typename Integer>
void Quantize(const float* values, std::size_t count, const Quantization& how, Integer* out) {
  // PyTorch multiplies by the reciprocal in single precision. This code must do the same, so that
  // each value is rounded the same way.
  const auto inverse_scale = static_cast<float>(1.0 / how.scale);
  const auto zero_point = static_cast<float>(how.zero_point);
  const auto lowest = static_cast<float>(how.min);
  const auto highest = static_cast<float>(how.max);
  for (std::size_t i = 0; i < count; ++i) {
    const float rounded = RoundHalfToEven(values[i] * inverse_scale) + zero_point;
    // This order of comparisons gives the lower limit for NaN.
    if (!(rounded > lowest)) {
      out[i] = static_cast<Integer>(how.min);
    } else if (rounded >= highest) {
      out[i] = static_cast<Integer>(how.max);
    } else {
      out[i] = static_cast<Integer>(rounded);
    }
  }
}

template <typename Integer>
void Dequantize(const Integer* values, std::size_t count, const Quantization& how, float* out) {
  const auto scale = static_cast<float>(how.scale);
  const auto zero_point = static_cast<float>(how.zero_point);
  for (std::size_t i = 0; i < count; ++i) {
    out[i] = (static_cast<float>(values[i]) - zero_point) * scale;
  }
}

#define PILOTLIGHT_INSTANTIATE(Integer)                                                      \
  template void Quantize<Integer>(const float*, std::size_t, const Quantization&, Integer*); \
  template void Dequantize<Integer>(const Integer*, std::size_t, const Quantization&, float*);
PILOTLIGHT_INSTANTIATE(std::int8_t)
PILOTLIGHT_INSTANTIATE(std::uint8_t)
PILOTLIGHT_INSTANTIATE(std::int16_t)
PILOTLIGHT_INSTANTIATE(std::int32_t)
#undef PILOTLIGHT_INSTANTIATE

}  // namespace pilotlight::kernels
