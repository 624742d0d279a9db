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
void FaultEntry();  // fault.cpp: every exception that is nobody's business

void ConsoleReceiveInterrupt();  // console.cpp
}

namespace pilotlight::platform::corstone300 {
namespace {

using Handler = void (*)();

#if defined(PILOTLIGHT_BOARD_NPU_IRQ)
constexpr std::size_t kNpuIrq = PILOTLIGHT_BOARD_NPU_IRQ;
#else
constexpr std::size_t kNpuIrq = PILOTLIGHT_BOARD_DOORBELL_IRQ;
#endif

constexpr std::size_t kInterrupts = 64;
static_assert(kNpuIrq < kInterrupts);
static_assert(PILOTLIGHT_BOARD_CONSOLE_IRQ < kInterrupts);
static_assert(PILOTLIGHT_BOARD_TIMER_IRQ < kInterrupts);

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
  table.interrupts[PILOTLIGHT_BOARD_TIMER_IRQ] = pilotlight_timer_interrupt;
  table.interrupts[kNpuIrq] = pilotlight_npu_interrupt;
  return table;
}

}  // namespace

// External linkage: start.cpp points VTOR at it, which also pulls this file out of the archive.
extern const VectorTable vector_table;
__attribute__((section(".vectors"), used)) constexpr VectorTable vector_table = MakeVectors();

}  // namespace pilotlight::platform::corstone300

extern "C" const void* VectorTableAddress() {
  return &pilotlight::platform::corstone300::vector_table;
}
