// SPDX-License-Identifier: Apache-2.0
//
// "executor_runner -m program.pte -o out -i i0.bin -i i1.bin": upstream's command line.
#pragma once

#include <cstddef>

namespace pilotlight::executor_runner {

inline constexpr std::size_t kMaxInputs = 64;

// Pointers into the text that was parsed.
struct CommandLine {
  const char* program = nullptr;
  const char* output = nullptr;  // each output goes to <output>-<index>.bin
  const char* inputs[kMaxInputs] = {};
  std::size_t input_count = 0;
};

// Splits `text` in place at its blanks. Returns null, or what is wrong with it.
const char* Parse(char* text, CommandLine& into);

}  // namespace pilotlight::executor_runner
