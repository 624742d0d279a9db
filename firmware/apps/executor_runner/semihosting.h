// SPDX-License-Identifier: Apache-2.0
//
// Files, command line and exit of the host that emulates this core, through semihosting. The
// numbers are those of Arm's "Semihosting for AArch32 and AArch64". Each call stops the core until
// the host has answered. On a core without a debugger, the first call is a HardFault.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pilotlight/base/span.h"

namespace pilotlight::semihosting {

// Reads the command line, NUL-terminated. False if the host has no command line, or if the line
// does not fit.
bool ReadCommandLine(Span<char> into);

// A file of the host. The path is relative to the host's working folder.
class File {
 public:
  enum class Mode : std::uint32_t { kRead = 1, kWrite = 5 };  // fopen()'s "rb" and "wb"

  File(const char* path, Mode mode);
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File();

  bool ok() const { return handle_ >= 0; }
  // False if the host cannot tell.
  bool Size(std::size_t& size_bytes) const;
  // True if all bytes were read or written.
  bool Read(Span<std::byte> into) const;
  bool Write(Span<const std::byte> bytes) const;
  // Closes the file. False if the host could not write all data to it.
  bool Close();

 private:
  std::int32_t handle_;
};

// Deletes a file. Does nothing if there is no such file.
void Remove(const char* path);

// Ends the emulator with `code`.
[[noreturn]] void Exit(std::uint32_t code);

}  // namespace pilotlight::semihosting
