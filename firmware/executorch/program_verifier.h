// SPDX-License-Identifier: Apache-2.0
//
// The semantic half of verification: everything in a program that something of the
// runtime follows later without looking again. FlatBuffers' verifier has run before,
// so tables, vectors and strings lie inside the file. Private to firmware/executorch.
//
// Not looked at here: what this image or its caller lacks (kernels, backends, data by
// name, memory), and what is well formed but not supported; load_method() says so.
#pragma once

#include <cstddef>

#include <executorch/runtime/core/error.h>

#include "program_schema.h"

namespace pilotlight::executorch_runtime {

struct Bounds {
  std::size_t segments_at;     // Position of the first segment in the file.
  std::size_t segments_bytes;  // From there to the end of the file.
  // What lists may still take of the program. A file whose tables share one long list
  // would otherwise be looked at for hours; no exporter shares any.
  std::size_t list_bytes;

  // Called before a list is gone through.
  template <typename T>
  bool Take(const flatbuffers::Vector<T>& list) {
    if (list.size() > list_bytes / sizeof(T)) return false;
    list_bytes -= list.size() * sizeof(T);
    return true;
  }
};

// Logs one line that says what is wrong, and where. The error is the one that the
// wheel's runtime gives, be it later; InvalidProgram where that gives none.
executorch::runtime::Error VerifyProgram(const executorch_flatbuffer::Program& program,
                                         Bounds bounds);

}  // namespace pilotlight::executorch_runtime
