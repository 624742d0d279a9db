// SPDX-License-Identifier: Apache-2.0
#include "command_line.h"

#include <cstring>

namespace pilotlight::executor_runner {
namespace {

// Returns the next word, NUL-terminated, or null. Moves `rest` past it.
char* NextWord(char*& rest) {
  while (*rest == ' ') ++rest;
  if (*rest == '\0') return nullptr;
  char* const word = rest;
  while (*rest != ' ' && *rest != '\0') ++rest;
  if (*rest == ' ') *rest++ = '\0';
  return word;
}

}  // namespace

const char* Parse(char* text, CommandLine& into) {
  into = {};
  char* rest = text;
  (void)NextWord(rest);  // the program's own name
  while (const char* option = NextWord(rest)) {
    const char* const value = NextWord(rest);
    if (value == nullptr) return "an option has no value";
    if (std::strcmp(option, "-m") == 0) {
      into.program = value;
    } else if (std::strcmp(option, "-o") == 0) {
      into.output = value;
    } else if (std::strcmp(option, "-i") == 0) {
      if (into.input_count == kMaxInputs) return "more than 64 inputs";
      into.inputs[into.input_count++] = value;
    } else {
      return "an option is not -m, -o or -i";
    }
  }
  if (into.program == nullptr) return "no -m PROGRAM";
  if (into.output == nullptr) return "no -o OUTPUT";
  return nullptr;
}

}  // namespace pilotlight::executor_runner
