// SPDX-License-Identifier: Apache-2.0
//
// Reads a number argument of any kind. Scalar::to() aborts if the argument is of another kind.
#pragma once

#include <cstdint>

#include <executorch/runtime/core/exec_aten/exec_aten.h>

#include "pilotlight/kernels/dtype.h"

namespace pilotlight::kernels {

template <typename To>
To ScalarAs(const ::executorch::aten::Scalar& scalar) {
  if (scalar.isFloatingPoint()) return Convert<To>(scalar.to<double>());
  return Convert<To>(scalar.to<std::int64_t>());  // Also for a bool.
}

}  // namespace pilotlight::kernels
