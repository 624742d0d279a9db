// SPDX-License-Identifier: Apache-2.0
//
// From a dtype known at run time to a C++ type, for the dtypes of a set alone, and
// conversion of a value from one type to another as PyTorch converts.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include <executorch/runtime/core/exec_aten/exec_aten.h>

#include "pilotlight/kernels/selection.h"

namespace pilotlight::kernels {

using ::executorch::aten::Half;

// Calls `body` with a value of the C++ type of `dtype` (take its type, not the value) and
// returns true; false, without a call, for a dtype outside of kDtypes. `body` is only
// instantiated for kDtypes, so `kMine & Selected("aten::x.out")` leaves out what the image
// does not need.
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

// As PyTorch converts: integers wrap, fractions are cut off, anything but 0 is true. What
// PyTorch leaves open, a float beyond the integer's range, is the nearest limit, and NaN is 0.
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

}  // namespace pilotlight::kernels
