/* SPDX-License-Identifier: Apache-2.0
 *
 * Loops of the simulator in C. Each one does what a function in arithmetic/ does with NumPy, and
 * that function is the definition. library.py says with which options this file is compiled:
 * without contraction, so that each step rounds as it does in NumPy.
 */
#include <math.h>
#include <stddef.h>
#include <stdint.h>

/* OutputStage._float_piece: element [r, c] of `out` becomes
 * clip(floor((accumulators[r, c] + bias[c]) * scale[c] + offset), low, high).
 *
 * accumulators, out: [rows, channels], contiguous. bias, scale: [channels].
 * low, high: integers that an int32_t and an element of `out` hold.
 */
#define ELEMENT(value, bias, scale, element_type)                          \
  do {                                                                     \
    double element = floor(((double)(value) + (bias)) * (scale) + offset); \
    element = element < low ? low : element;                               \
    element = element > high ? high : element;                             \
    *out++ = (element_type)(int32_t)element;                               \
  } while (0)

#define STORE(name, accumulator_type, element_type)                                               \
  void name(const accumulator_type* restrict accumulators, size_t rows, size_t channels,          \
            const double* restrict scale, const double* restrict bias, double offset, double low, \
            double high, element_type* restrict out) {                                            \
    if (channels == 1) {                                                                          \
      const double all_bias = bias[0], all_scale = scale[0];                                      \
      for (size_t r = 0; r < rows; ++r) {                                                         \
        ELEMENT(accumulators[r], all_bias, all_scale, element_type);                              \
      }                                                                                           \
      return;                                                                                     \
    }                                                                                             \
    for (size_t r = 0; r < rows; ++r, accumulators += channels) {                                 \
      for (size_t c = 0; c < channels; ++c) {                                                     \
        ELEMENT(accumulators[c], bias[c], scale[c], element_type);                                \
      }                                                                                           \
    }                                                                                             \
  }

#define STORE_FROM(accumulator_name, accumulator_type)               \
  STORE(store_##accumulator_name##_int8, accumulator_type, int8_t)   \
  STORE(store_##accumulator_name##_uint8, accumulator_type, uint8_t) \
  STORE(store_##accumulator_name##_int16, accumulator_type, int16_t) \
  STORE(store_##accumulator_name##_int32, accumulator_type, int32_t)

STORE_FROM(float32, float)
STORE_FROM(float64, double)
STORE_FROM(int32, int32_t)
STORE_FROM(int64, int64_t)

/* convolution.convolve_depthwise. out[h, l] is the sum over y and x of
 * taps[h * tap_row + y * tap_height + x * tap_width + l] * factors[y, x, l].
 *
 * tap_row, tap_height, tap_width: distances in elements. out: [height, lanes], factors: [rows,
 * columns, lanes], contiguous. The sums are exact in any order.
 */
#define DEPTHWISE(name, type)                                                                   \
  void name(const type* restrict taps, ptrdiff_t tap_row, ptrdiff_t tap_height,                 \
            ptrdiff_t tap_width, const type* restrict factors, size_t height, size_t rows,      \
            size_t columns, size_t lanes, type* restrict out) {                                 \
    enum { kBlock = 256 };                                                                      \
    for (size_t h = 0; h < height; ++h) {                                                       \
      for (size_t start = 0; start < lanes; start += kBlock) {                                  \
        const size_t count = lanes - start < kBlock ? lanes - start : kBlock;                   \
        type sums[kBlock] = {0};                                                                \
        for (size_t y = 0; y < rows; ++y) {                                                     \
          for (size_t x = 0; x < columns; ++x) {                                                \
            const type* const tap = taps + (ptrdiff_t)h * tap_row + (ptrdiff_t)y * tap_height + \
                                    (ptrdiff_t)x * tap_width + start;                           \
            const type* const factor = factors + (y * columns + x) * lanes + start;             \
            for (size_t l = 0; l < count; ++l) sums[l] += tap[l] * factor[l];                   \
          }                                                                                     \
        }                                                                                       \
        for (size_t l = 0; l < count; ++l) out[h * lanes + start + l] = sums[l];                \
      }                                                                                         \
    }                                                                                           \
  }

DEPTHWISE(depthwise_float32, float)
DEPTHWISE(depthwise_float64, double)
