// SPDX-License-Identifier: Apache-2.0
//
// From reset to main(): floating point, memory, caches, static constructors.
#include <cstdint>
#include <cstring>

#include "corstone300/cache.h"
#include "corstone300/console.h"
#include "corstone300/mpu.h"
#include "corstone300/registers.h"
#include "corstone300/stack.h"
#include "corstone300/system.h"
#include "pilotlight/base/check.h"
#include "pilotlight/platform/port.h"

extern "C" {
extern std::uint8_t __data_start[], __data_end[], __data_load[];
extern std::uint8_t __bss_start[], __bss_end[];
using Constructor = void (*)();
extern const Constructor __init_array_start[], __init_array_end[];

const void* VectorTableAddress();  // vectors.cpp
int main();

// The compiler may use vector registers in any C++ function, so floating point and MVE are switched
// on first: full access to CP10 and CP11 in CPACR (0xE000ED88).
__attribute__((naked, used)) void Reset_Handler() {
  __asm volatile(
      "cpsid i                  \n"
      "ldr   r0, =0xE000ED88    \n"
      "ldr   r1, [r0]           \n"
      "orr   r1, r1, #0xF00000  \n"
      "str   r1, [r0]           \n"
      "ldr   r0, =__stack_limit \n"
      "msr   msplim, r0         \n"
      "dsb                      \n"
      "isb                      \n"
      "b     StartInCpp         \n"
      ".ltorg                   \n");
}

[[noreturn]] __attribute__((used)) void StartInCpp() {
  using namespace pilotlight::platform::corstone300;
  PaintStack();
  std::memcpy(__data_start, __data_load, static_cast<std::size_t>(__data_end - __data_start));
  std::memset(__bss_start, 0, static_cast<std::size_t>(__bss_end - __bss_start));

  Register(kVtor) = reinterpret_cast<std::uint32_t>(VectorTableAddress());
  Register(kShcsr) = Register(kShcsr) | kShcsrMemFaultEnable | kShcsrBusFaultEnable |
                     kShcsrUsageFaultEnable | kShcsrSecureFaultEnable;
  Register(kCcr) = Register(kCcr) | kCcrDivideByZeroTrap | kCcrLowOverheadBranch;
  EnableMpu();
  EnableCaches();
  DataSyncBarrier();
  InstructionSyncBarrier();

  pilotlight::platform::StartPort();
  StartSystem();
  StartConsole();
  for (const Constructor* each = __init_array_start; each != __init_array_end; ++each) (*each)();
  __asm volatile("cpsie i" ::: "memory");
  main();
  pilotlight::CheckFailed("main", 0, "main() returned");
}

}  // extern "C"
