// SPDX-License-Identifier: Apache-2.0
//
// Does with a .pte all that an app would do, and checks the result: it calls the functions of
// Program, MethodMeta and Method, at both verification levels. A file is either refused with an
// Error and a log line, or it runs, and the runtime touches only memory that it was given. This
// module knows neither files nor the machine. The host's fuzz target and the emulated board's image
// both call this module.
#pragma once

#include <executorch/runtime/kernel/operator_registry.h>

#include <cstddef>
#include <cstdint>

#include "pilotlight/base/span.h"

namespace pilotlight::fuzz {

// The runtime's memory. On the host each block is a heap block, so that a sanitizer sees its ends.
// On the board all blocks come from one arena.
class Memory {
 public:
  // Returns null when the memory is exhausted. `align` is a power of two.
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

// Examines `file`, which is aligned to 16 bytes. If `kernels` is empty, the registered kernels are
// used. If the runtime broke a rule, this function calls Violation() and does not return.
Outcome Examine(Span<const std::uint8_t> file,
                executorch::runtime::Span<const executorch::runtime::Kernel> kernels,
                const Limits& limits, Memory& memory);

// Counts one line of the runtime's log. The target's log hook calls it.
void CountLogLine(std::size_t length);

// The target provides this: prints `what` and ends the process.
[[noreturn]] void Violation(const char* what);

}  // namespace pilotlight::fuzz
