// SPDX-License-Identifier: Apache-2.0
//
// For images without a heap: what C++ and the C library would bring one in for.
// Deleting destructors are part of every class with a virtual one, so the linker
// wants operator delete though nothing is ever deleted; abort() wants signals,
// which want reentrancy, which wants memory.
#include <cstddef>

namespace {

[[noreturn]] void Trap() { __builtin_trap(); }

}  // namespace

void operator delete(void*) noexcept { Trap(); }
void operator delete(void*, std::size_t) noexcept { Trap(); }

extern "C" [[noreturn]] void abort() { Trap(); }
extern "C" [[noreturn]] void __cxa_pure_virtual() { Trap(); }
