// SPDX-License-Identifier: Apache-2.0
//
// What the probe needs from its machine: a host, or a board that reads files with semihosting.
#pragma once

#include <cstddef>
#include <cstdint>

#include <executorch/runtime/core/span.h>

namespace conformance {

// Free memory with the widest alignment, the same at every call.
executorch::runtime::Span<std::uint8_t> AllMemory();

// The size of a file; -1 if there is none.
std::int64_t FileSize(const char* path);
bool ReadFile(const char* path, executorch::runtime::Span<std::uint8_t> into);

// Calls `action`. On a machine with processes, a crash ends only `action` and is written to the
// transcript.
void Isolated(void (*action)(const char* argument), const char* argument);

// Ends an isolated action; called from inside it.
[[noreturn]] void EndAction();

}  // namespace conformance
