// SPDX-License-Identifier: Apache-2.0
//
// Converts a number argument to an element of a tensor.
#pragma once

#include <cstdint>
#include <cstring>

#include "pilotlight/kernels/dtype.h"
#include "pilotlight/kernels/elementwise.h"

namespace pilotlight::kernels {

// An element of any dtype, with which a view can be filled.
struct Element {
  alignas(8) std::byte bytes[8] = {};
};

// False for a dtype outside kDtypes, and for a fractional number with an integer dtype.
template <DtypeSet kDtypes>
bool ToElement(const Operand& number, ScalarType dtype, Element& element) {
  if (!number.is_integral() && !::executorch::runtime::isFloatingType(dtype)) return false;
  return WithDtype<kDtypes>(dtype, [&](auto zero) {
    using T = decltype(zero);
    const T value = number.is_integral() ? Convert<T>(number.Value<std::int64_t>())
                                         : Convert<T>(number.Value<double>());
    std::memcpy(element.bytes, &value, sizeof(value));
  });
}

}  // namespace pilotlight::kernels
