// SPDX-License-Identifier: Apache-2.0
//
// Types in which sums and products are kept: double for floats, 64 bits for integers. The order of
// additions then hardly matters. At the end the result is stored in the output's dtype.
#pragma once

#include <cstdint>
#include <type_traits>

#include "pilotlight/kernels/dtype.h"

namespace pilotlight::kernels {

using ::executorch::aten::Tensor;

// Integers wrap, as in PyTorch. Signed overflow would be undefined in C++.
inline double Plus(double a, double b) { return a + b; }
inline double Times(double a, double b) { return a * b; }
inline std::int64_t Plus(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}
inline std::int64_t Times(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) * static_cast<std::uint64_t>(b));
}

// Converts `value` to the dtype of `out`, one of kDtypes, and writes it to element `offset`.
template <DtypeSet kDtypes, typename Value>
void Store(Value value, Tensor& out, ssize_t offset) {
  WithDtype<kDtypes>(out.scalar_type(), [&](auto to) {
    using To = decltype(to);
    out.mutable_data_ptr<To>()[offset] = Convert<To>(value);
  });
}

// Calls body(Wide{}) with the accumulator type for a result of `dtype`. False for a dtype outside
// kDtypes.
template <DtypeSet kDtypes, typename Body>
bool WithAccumulator(ScalarType dtype, Body&& body) {
  if constexpr ((kDtypes & kFloats) != 0) {
    if (Contains(kDtypes & kFloats, dtype)) {
      body(double{});
      return true;
    }
  }
  if constexpr ((kDtypes & kIntegral) != 0) {
    if (Contains(kDtypes & kIntegral, dtype)) {
      body(std::int64_t{});
      return true;
    }
  }
  return false;
}

}  // namespace pilotlight::kernels
