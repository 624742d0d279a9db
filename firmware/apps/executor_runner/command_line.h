// SPDX-License-Identifier: Apache-2.0
//
// "executor_runner -m program.pte -o out -i i0.bin -i i1.bin": upstream's command line.
#pragma once

#include <cstddef>

namespace pilotlight::executor_runner {

inline constexpr std::size_t kMaxInputs = 64;

// All pointers point into the parsed text.
struct CommandLine {
  const char* program = nullptr;
  const char* output = nullptr;  // outputs are written to <output>-<index>.bin
  const char* inputs[kMaxInputs] = {};
  std::size_t input_count = 0;
};

// Splits `text` in place at blanks. Returns null on success, else a text that says what is wrong.
const char* Parse(char* text, CommandLine& into);

}  // namespace pilotlight::executor_runner
