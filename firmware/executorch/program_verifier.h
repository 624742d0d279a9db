// SPDX-License-Identifier: Apache-2.0
//
// The semantic half of verification: it checks everything in a program that the runtime follows
// later without a check. FlatBuffers' verifier has run before, so tables, vectors and strings lie
// inside the file. Private to firmware/executorch.
//
// load_method() reports what this image or its caller lacks (kernels, backends, named data,
// memory), and what is well formed but not supported. This pass does not.
#pragma once

#include <cstddef>

#include <executorch/runtime/core/error.h>

#include "program_schema.h"

namespace pilotlight::executorch_runtime {

struct Bounds {
  std::size_t segments_at;     // Position of the first segment in the file.
  std::size_t segments_bytes;  // From there to the end of the file.
  // Bytes that lists may still take. The number starts with the size of the program, and each
  // reference to a list counts. Otherwise a file in which many tables share one long list would
  // take hours. No exporter shares lists.
  std::size_t list_bytes;

  // Counts `list`; false if it exceeds the remaining bytes. Called before a list is read.
  template <typename T>
  bool Take(const flatbuffers::Vector<T>& list) {
    if (list.size() > list_bytes / sizeof(T)) return false;
    list_bytes -= list.size() * sizeof(T);
    return true;
  }
};

// Logs one line that says what is wrong and where. The error is the one that the wheel's runtime
// returns, at this step or later, or InvalidProgram if the wheel returns none.
executorch::runtime::Error VerifyProgram(const executorch_flatbuffer::Program& program,
                                         Bounds bounds);

}  // namespace pilotlight::executorch_runtime
