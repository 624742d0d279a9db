// SPDX-License-Identifier: Apache-2.0
//
// Selects a C++ type for a dtype that is known at run time, from a given set only, and converts
// values between types as PyTorch does.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include <executorch/runtime/core/exec_aten/exec_aten.h>

#include "pilotlight/kernels/selection.h"

namespace pilotlight::kernels {

using ::executorch::aten::Half;

// Calls `body` with a value of the C++ type of `dtype` and returns true. Use the value's type only.
// For a dtype outside kDtypes, this function returns false without a call. `body` is instantiated
// only for kDtypes, so `kMine & Selected("aten::x.out")` omits code that the image does not need.
template <DtypeSet kDtypes, typename Body>
bool WithDtype(ScalarType dtype, Body&& body) {
  switch (dtype) {
#define PILOTLIGHT_CASE(name, type)                      \
  case ScalarType::name:                                 \
    if constexpr (Contains(kDtypes, ScalarType::name)) { \
      body(type{});                                      \
      return true;                                       \
    }                                                    \
    return false;
    PILOTLIGHT_CASE(Bool, bool)
    PILOTLIGHT_CASE(Byte, std::uint8_t)
    PILOTLIGHT_CASE(Char, std::int8_t)
    PILOTLIGHT_CASE(Short, std::int16_t)
    PILOTLIGHT_CASE(Int, std::int32_t)
    PILOTLIGHT_CASE(Long, std::int64_t)
    PILOTLIGHT_CASE(Half, Half)
    PILOTLIGHT_CASE(Float, float)
    PILOTLIGHT_CASE(Double, double)
#undef PILOTLIGHT_CASE
    default:
      return false;
  }
}

// Converts as PyTorch does: integers wrap, fractions are truncated, every value except 0 is true.
// PyTorch leaves two conversions to integers undefined: here, a float beyond the integer's range
// gives the nearest limit, and NaN gives 0.
template <typename To, typename From>
To Convert(From value) {
  if constexpr (std::is_same_v<To, From>) {
    return value;
  } else if constexpr (std::is_same_v<From, Half>) {
    return Convert<To>(static_cast<float>(value));
  } else if constexpr (std::is_same_v<To, Half>) {
    return Half(static_cast<float>(value));
  } else if constexpr (std::is_same_v<To, bool>) {
    return value != From{};
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    using Limits = std::numeric_limits<To>;
    if (std::isnan(value)) return 0;
    if (value >= static_cast<From>(Limits::max())) return Limits::max();
    if (value <= static_cast<From>(Limits::min())) return Limits::min();
    return static_cast<To>(value);
  } else {
    return static_cast<To>(value);
  }
}

// No integer is a NaN.
template <typename T>
bool IsNotANumber(T value) {
  if constexpr (std::is_integral_v<T>) {
    return false;
  } else {
    return std::isnan(static_cast<double>(value));
  }
}

}  // namespace pilotlight::kernels
