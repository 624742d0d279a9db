// SPDX-License-Identifier: Apache-2.0
//
// The functions that newlib expects from an operating system. There is no operating system here: no
// files, no heap.
//
// Every function that allocates ends in a CHECK. image.ld refuses the library's own allocator. So
// nothing in an image allocates, and the first call that tries is reported with its backtrace.
#include <cerrno>
#include <cstddef>
#include <new>

#include "pilotlight/base/check.h"

namespace {

[[noreturn]] void RefuseToAllocate() {
  pilotlight::CheckFailed("heap", 0, "memory was allocated, but there is no heap");
}

// Code may free a null pointer.
void Free(const void* memory) {
  if (memory != nullptr) RefuseToAllocate();
}

}  // namespace

void* operator new(std::size_t) { RefuseToAllocate(); }
void* operator new[](std::size_t) { RefuseToAllocate(); }
void* operator new(std::size_t, const std::nothrow_t&) noexcept { RefuseToAllocate(); }
void* operator new[](std::size_t, const std::nothrow_t&) noexcept { RefuseToAllocate(); }
void operator delete(void* memory) noexcept { Free(memory); }
void operator delete[](void* memory) noexcept { Free(memory); }
void operator delete(void* memory, std::size_t) noexcept { Free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { Free(memory); }

extern "C" {

struct _reent;

void* malloc(std::size_t) { RefuseToAllocate(); }
void* calloc(std::size_t, std::size_t) { RefuseToAllocate(); }
void* realloc(void*, std::size_t) { RefuseToAllocate(); }
void free(void* memory) { Free(memory); }
void* _malloc_r(_reent*, std::size_t) { RefuseToAllocate(); }
void* _calloc_r(_reent*, std::size_t, std::size_t) { RefuseToAllocate(); }
void* _realloc_r(_reent*, void*, std::size_t) { RefuseToAllocate(); }
void _free_r(_reent*, void* memory) { Free(memory); }

[[noreturn]] void abort() { pilotlight::CheckFailed("libc", 0, "abort() was called"); }

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

[[noreturn]] void _exit(int) { pilotlight::CheckFailed("libc", 0, "exit() was called"); }

// C++ code refers to these even with -fno-exceptions: pure virtual functions and static
// destructors.
[[noreturn]] void __cxa_pure_virtual() {
  pilotlight::CheckFailed("c++", 0, "a pure virtual function was called");
}

void* __dso_handle = nullptr;

}  // extern "C"
