// SPDX-License-Identifier: Apache-2.0
//
// What sums and products are kept in: double precision for floats, 64 bits for integers,
// so that the order of adding hardly matters; stored in the output's dtype at the end.
#pragma once

#include <cstdint>
#include <type_traits>

#include "pilotlight/kernels/dtype.h"

namespace pilotlight::kernels {

using ::executorch::aten::Tensor;

// PyTorch's integers wrap; signed overflow would be undefined.
inline double Plus(double a, double b) { return a + b; }
inline double Times(double a, double b) { return a * b; }
inline std::int64_t Plus(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}
inline std::int64_t Times(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) * static_cast<std::uint64_t>(b));
}

// Writes `value` as the dtype of `out`, one of kDtypes, to element `offset`.
template <DtypeSet kDtypes, typename Value>
void Store(Value value, Tensor& out, ssize_t offset) {
  WithDtype<kDtypes>(out.scalar_type(), [&](auto to) {
    using To = decltype(to);
    out.mutable_data_ptr<To>()[offset] = Convert<To>(value);
  });
}

// Calls body(Wide{}) with the type to accumulate in for a result of `dtype`; false for a dtype
// outside of kDtypes.
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
