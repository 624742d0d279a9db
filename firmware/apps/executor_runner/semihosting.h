// SPDX-License-Identifier: Apache-2.0
//
// The files, command line and exit of the machine that emulates this core, by Arm's semihosting
// calls (Arm's "Semihosting for AArch32 and AArch64", numbers as there). Each call stops the core
// until the host has answered. On a core that nobody debugs, the first call is a HardFault.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pilotlight/base/span.h"

namespace pilotlight::semihosting {

// The command line, NUL-terminated; false when the host has none or it does not fit.
bool ReadCommandLine(Span<char> into);

// A file of the host; the path is relative to the host's working folder.
class File {
 public:
  enum class Mode : std::uint32_t { kRead = 1, kWrite = 5 };  // fopen()'s "rb" and "wb"

  File(const char* path, Mode mode);
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File();

  bool ok() const { return handle_ >= 0; }
  // False when the host cannot tell.
  bool Size(std::size_t& size_bytes) const;
  // True when all of it was read or written.
  bool Read(Span<std::byte> into) const;
  bool Write(Span<const std::byte> bytes) const;
  // Pushes what was written to the host's file; false when that failed. The file is closed then.
  bool Close();

 private:
  std::int32_t handle_;
};

// Deletes a file; nothing happens when it is not there.
void Remove(const char* path);

// Ends the emulator with `code`.
[[noreturn]] void Exit(std::uint32_t code);

}  // namespace pilotlight::semihosting
