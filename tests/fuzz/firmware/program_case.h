// SPDX-License-Identifier: Apache-2.0
//
// Does with a .pte all that an app would, and watches: every function of Program, MethodMeta and
// Method, at every verification level. A file is either refused with an Error and a log line, or it
// runs, and nothing that it makes the runtime touch lies outside the memory it was given. Knows
// neither files nor the machine: the host's fuzz target and the emulated board's image both call
// it.
#pragma once

#include <executorch/runtime/kernel/operator_registry.h>

#include <cstddef>
#include <cstdint>

#include "pilotlight/base/span.h"

namespace pilotlight::fuzz {

// Where the runtime's memory comes from: each block by itself on the host, so that a sanitizer sees
// its ends; one arena on the board.
class Memory {
 public:
  // Null when there is no more. `align` is a power of two.
  virtual void* Allocate(std::size_t size_bytes, std::size_t align) = 0;

 protected:
  ~Memory() = default;
};

enum class Stage : std::uint8_t { kProgram, kMetadata, kMethod, kInputs, kExecute, kDone };
const char* NameOf(Stage stage);

// The first refusal, or kDone and 0.
struct Outcome {
  Stage stage = Stage::kDone;
  std::uint32_t error = 0;      // executorch::runtime::Error
  std::uint32_t log_lines = 0;  // Written by the call that refused.
};

struct Limits {
  std::size_t planned_bytes = std::size_t{1} << 20;  // Each planned buffer is at most this large.
  std::size_t pool_bytes = std::size_t{1} << 17;     // Method pool.
  std::size_t temp_bytes = std::size_t{1} << 18;
  std::size_t tensor_bytes = std::size_t{1} << 20;  // Larger inputs and outputs are not supplied.
};

// `file` is aligned to 16 bytes; `kernels` empty: those that are registered. Calls Violation() and
// does not return when the runtime broke a rule.
Outcome Examine(Span<const std::uint8_t> file,
                executorch::runtime::Span<const executorch::runtime::Kernel> kernels,
                const Limits& limits, Memory& memory);

// Counts one line of the runtime's log. Whoever has the platform's hook calls it.
void CountLogLine(std::size_t length);

// Provided by the target: says what happened, and ends.
[[noreturn]] void Violation(const char* what);

}  // namespace pilotlight::fuzz
