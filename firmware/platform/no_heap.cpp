// SPDX-License-Identifier: Apache-2.0
//
// Defines, for images without a heap, the functions whose library versions would link one. Every
// class with a virtual destructor refers to operator delete, even if nothing is ever deleted. The
// library's abort() needs signals, signals need the library's reentrancy structures, and these
// structures need malloc().
#include <cstddef>

namespace {

[[noreturn]] void Trap() { __builtin_trap(); }

}  // namespace

void operator delete(void*) noexcept { Trap(); }
void operator delete(void*, std::size_t) noexcept { Trap(); }

extern "C" [[noreturn]] void abort() { Trap(); }
extern "C" [[noreturn]] void __cxa_pure_virtual() { Trap(); }
