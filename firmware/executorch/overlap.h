// SPDX-License-Identifier: Apache-2.0
//
// Finds an argument that a kernel writes and that shares memory with another argument. A kernel
// checks an index and reads it again when it uses it, so the index must not change in between.
// Private to firmware/executorch.
#pragma once

#include <cstddef>

#include <executorch/runtime/core/evalue.h>
#include <executorch/runtime/core/span.h>

namespace pilotlight::executorch_runtime {

// The arguments that a kernel writes are consecutive: the out arguments before the returned value,
// or the first argument of an in-place operator.
struct WrittenArgs {
  // Limits of the bit fields of an Instruction.
  static constexpr std::size_t kLargestFirst = 63;
  static constexpr std::size_t kLargestCount = 31;

  std::size_t first;
  std::size_t count;
  bool returned;  // The last argument is the returned value.
};

// Reads a signature (include/pilotlight/executorch/signatures.h). False if the written arguments
// are not consecutive, or exceed the limits above.
bool FindWritten(const char* signature, WrittenArgs* written);

struct Overlap {
  bool found;
  std::size_t written;  // Index of an argument; so is `other`.
  std::size_t other;
};

// Compares the memory of each tensor up to the size that the tensor may grow to.
Overlap FindOverlap(executorch::runtime::Span<executorch::runtime::EValue*> args,
                    WrittenArgs written);

}  // namespace pilotlight::executorch_runtime
