// SPDX-License-Identifier: Apache-2.0
//
// The vector table. Interrupt numbers come from board.toml.
#include <cstddef>
#include <cstdint>

#include "corstone300/registers.h"
#include "pilotlight/interrupts.h"

extern "C" {
extern std::uint32_t __stack_top[];

void Reset_Handler();
void FaultEntry();  // fault.cpp: every exception without a handler

void ConsoleReceiveInterrupt();  // console.cpp
}

namespace pilotlight::platform::corstone300 {
namespace {

using Handler = void (*)();

constexpr std::size_t kInterrupts = 64;
static_assert(PILOTLIGHT_NPU_VECTOR < kInterrupts);
static_assert(PILOTLIGHT_BOARD_CONSOLE_IRQ < kInterrupts);
static_assert(PILOTLIGHT_TIMER_VECTOR < kInterrupts);

struct VectorTable {
  std::uint32_t* initial_stack;
  Handler system[15];
  Handler interrupts[kInterrupts];
};

constexpr VectorTable MakeVectors() {
  VectorTable table{};
  table.initial_stack = __stack_top;
  for (Handler& handler : table.system) handler = FaultEntry;
  for (Handler& handler : table.interrupts) handler = FaultEntry;
  table.system[0] = Reset_Handler;
  table.interrupts[PILOTLIGHT_BOARD_CONSOLE_IRQ] = ConsoleReceiveInterrupt;
  table.interrupts[PILOTLIGHT_TIMER_VECTOR] = pilotlight_timer_interrupt;
  table.interrupts[PILOTLIGHT_NPU_VECTOR] = pilotlight_npu_interrupt;
  return table;
}

}  // namespace

// start.cpp sets VTOR to this table. The call of VectorTableAddress() in start.cpp also pulls this
// file out of the archive.
extern const VectorTable vector_table;
__attribute__((section(".vectors"), used)) constexpr VectorTable vector_table = MakeVectors();

}  // namespace pilotlight::platform::corstone300

extern "C" const void* VectorTableAddress() {
  return &pilotlight::platform::corstone300::vector_table;
}
