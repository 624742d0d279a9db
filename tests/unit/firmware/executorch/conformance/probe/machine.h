// SPDX-License-Identifier: Apache-2.0
//
// What the probe needs of the machine it runs on: a host, or a board that reads files by
// semihosting.
#pragma once

#include <cstddef>
#include <cstdint>

#include <executorch/runtime/core/span.h>

namespace conformance {

// Free memory, aligned for anything, the same at every call.
executorch::runtime::Span<std::uint8_t> AllMemory();

// The size of a file, or -1 when there is none.
std::int64_t FileSize(const char* path);
bool ReadFile(const char* path, executorch::runtime::Span<std::uint8_t> into);

// Calls `action`; where the machine can, so that a crash in it ends only it and is in the
// transcript.
void Isolated(void (*action)(const char* argument), const char* argument);

// Ends an isolated action from within.
[[noreturn]] void EndAction();

}  // namespace conformance
