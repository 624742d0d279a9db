// SPDX-License-Identifier: Apache-2.0
//
// How the primitives read their arguments. Private to firmware/kernels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include "pilotlight/kernels/primitives.h"

namespace pilotlight::kernels {

using executorch::runtime::Error;

inline bool HasArguments(KernelRuntimeContext& context, Stack stack, std::size_t count) {
  if (stack.size() == count) return true;
  context.fail(Error::InvalidProgram);
  return false;
}

// An integer or a floating-point number; a boolean is neither.
inline bool IsNumber(const EValue& value) { return value.isInt() || value.isDouble(); }

// Precondition: `value` is a number.
inline double AsDouble(const EValue& value) {
  return value.isInt() ? static_cast<double>(value.toInt()) : value.toDouble();
}

// Converts as x86-64 does, because the wheel's runtime was built for it: a value that does not fit
// becomes the smallest integer.
inline std::int64_t AsInteger(double value) {
  constexpr double kLimit = 9223372036854775808.0;  // 2^63
  const bool fits = value >= -kLimit && value < kLimit;
  return fits ? static_cast<std::int64_t>(value) : std::numeric_limits<std::int64_t>::min();
}

}  // namespace pilotlight::kernels
