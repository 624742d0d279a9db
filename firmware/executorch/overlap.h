// SPDX-License-Identifier: Apache-2.0
//
// Whether what a kernel writes shares memory with another of its arguments. Kernels check an
// index and read it again when they use it, so nothing may change it between. Private to
// firmware/executorch.
#pragma once

#include <cstddef>

#include <executorch/runtime/core/evalue.h>
#include <executorch/runtime/core/span.h>

namespace pilotlight::executorch_runtime {

// Arguments that a kernel writes stand in a row: out arguments before what the operator
// returns, or the first argument of an operator in place.
struct WrittenArgs {
  static constexpr std::size_t kLargestFirst = 63;  // An instruction keeps them in so many bits.
  static constexpr std::size_t kLargestCount = 31;

  std::size_t first;
  std::size_t count;
  bool returned;  // Whether the last argument is what the operator returns.
};

// Of a signature (include/pilotlight/executorch/signatures.h). False when they are more than
// fit, or not in a row.
bool FindWritten(const char* signature, WrittenArgs* written);

struct Overlap {
  bool found;
  std::size_t written;  // Arguments.
  std::size_t other;
};

// Memory counts as far as each tensor may grow.
Overlap FindOverlap(executorch::runtime::Span<executorch::runtime::EValue*> args,
                    WrittenArgs written);

}  // namespace pilotlight::executorch_runtime
