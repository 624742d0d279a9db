// SPDX-License-Identifier: Apache-2.0
#include "commands.h"

#include <cstring>

#include "backends.h"
#include "header_calls.h"
#include "machine.h"
#include "program_calls.h"
#include "tracing_kernels.h"
#include "transcript.h"

namespace conformance {
namespace {

struct Command {
  const char* name;
  void (*action)(const char* argument);
  bool is_isolated;
};

constexpr Command kCommands[] = {
    {"trace", TraceOperator, false},
    {"backends", [](const char*) { RegisterBackends(); }, false},
    {"tensors", [](const char*) { CallTensorFunctions(); }, true},
    {"registries", [](const char*) { CallRegistryFunctions(); }, true},
    {"platform", [](const char*) { CallPlatformFunctions(); }, true},
    {"abort", CallAborting, true},
    {"program", ExerciseProgram, true},
    {"events", LogEvents, true},
    {"pools", TryPools, true},
    {"planned", TryPlannedBuffers, true},
    {"short", TryShortData, true},
    {"kernels", RunWithKernels, true},
};

bool ObeyLine(char* line) {
  char* argument = std::strchr(line, ' ');
  if (argument != nullptr) *argument++ = '\0';
  for (const Command& command : kCommands) {
    if (std::strcmp(line, command.name) != 0) continue;
    const char* text = argument == nullptr ? "" : argument;
    if (command.action != TraceOperator) out << "=== " << line << " " << text << "\n";
    if (command.is_isolated) {
      Isolated(command.action, text);
    } else {
      command.action(text);
    }
    return true;
  }
  return false;
}

}  // namespace

bool Obey(executorch::runtime::Span<char> text) {
  char* line = text.data();
  char* const end = line + text.size();
  while (line < end) {
    auto* stop = static_cast<char*>(std::memchr(line, '\n', static_cast<std::size_t>(end - line)));
    if (stop == nullptr) return false;
    *stop = '\0';
    if (!ObeyLine(line)) return false;
    line = stop + 1;
  }
  return true;
}

}  // namespace conformance
