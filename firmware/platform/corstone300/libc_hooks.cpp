// SPDX-License-Identifier: Apache-2.0
//
// What newlib asks of an operating system. There is none: no files, no heap, nothing to return to.
#include <cerrno>
#include <cstddef>

#include "pilotlight/base/check.h"

extern "C" {

void* _sbrk(std::ptrdiff_t) {
  errno = ENOMEM;
  return reinterpret_cast<void*>(-1);
}

int _write(int, const char*, int) {
  errno = EBADF;
  return -1;
}

int _read(int, char*, int) {
  errno = EBADF;
  return -1;
}

int _close(int) { return -1; }
int _lseek(int, int, int) { return -1; }
int _fstat(int, void*) { return -1; }
int _isatty(int) { return 0; }
int _getpid() { return 1; }
int _kill(int, int) { return -1; }

[[noreturn]] void _exit(int) { pilotlight::CheckFailed("libc", 0, "exit() or abort() was called"); }

// -fno-exceptions code still refers to these through virtual destructors and pure virtual
// functions.
[[noreturn]] void __cxa_pure_virtual() {
  pilotlight::CheckFailed("c++", 0, "a pure virtual function was called");
}

void* __dso_handle = nullptr;

}  // extern "C"
