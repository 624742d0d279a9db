// SPDX-License-Identifier: Apache-2.0
#include <executorch/runtime/core/exec_aten/util/tensor_shape_to_c_string.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace executorch::runtime {
namespace {

constexpr char kTooManyDimensions[] = "(ERR: tensor ndim exceeds limit)";

using ShapeText = std::array<char, kTensorShapeStringSizeLimit>;

// Appends digits without the C library, whose printf is larger than this whole file.
char* AppendNumber(char* out, std::uint64_t value) {
  char digits[20];
  std::size_t count = 0;
  do {
    digits[count++] = static_cast<char>('0' + value % 10);
    value /= 10;
  } while (value != 0);
  while (count > 0) *out++ = digits[--count];
  return out;
}

template <typename T>
ShapeText ToText(Span<const T> shape) {
  ShapeText text{};
  char* out = text.data();
  if (shape.size() > kTensorDimensionLimit) {
    std::memcpy(out, kTooManyDimensions, sizeof kTooManyDimensions);
    return text;
  }
  if (shape.empty()) return text;
  *out++ = '(';
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (i != 0) {
      *out++ = ',';
      *out++ = ' ';
    }
    const T size = shape[i];
    if (size < 0 ||
        static_cast<std::uint64_t>(size) > internal::kMaximumPrintableTensorShapeElement) {
      for (const char c : {'E', 'R', 'R'}) *out++ = c;
    } else {
      out = AppendNumber(out, static_cast<std::uint64_t>(size));
    }
  }
  *out = ')';
  return text;
}

}  // namespace

ShapeText tensor_shape_to_c_string(Span<const std::int32_t> shape) { return ToText(shape); }

ShapeText tensor_shape_to_c_string(Span<const std::int64_t> shape) { return ToText(shape); }

}  // namespace executorch::runtime
