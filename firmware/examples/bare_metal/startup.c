// SPDX-License-Identifier: Apache-2.0
//
// The app's own start-up code: stack, floating point, .data, .bss, main(). It calls no
// static constructors.
#include <stdint.h>
#include <string.h>

#include "pilotlight/interrupts.h" /* Pilotlight */

extern uint8_t data_start[], data_end[], data_load[], bss_start[], bss_end[], stack_top[];

int main(void);
void reset_handler(void);

static void default_handler(void) {
  for (;;) {
  }
}

__attribute__((noinline, noreturn)) static void start(void) {
  memcpy(data_start, data_load, (size_t)(data_end - data_start));
  memset(bss_start, 0, (size_t)(bss_end - bss_start));
  main();
  default_handler();
  __builtin_unreachable();
}

// Enables floating point in CPACR (0xE000ED88), because the compiler may use vector registers in
// any function.
__attribute__((naked)) void reset_handler(void) {
  __asm volatile(
      "ldr r0, =0xE000ED88\n ldr r1, [r0]\n orr r1, r1, #0xF00000\n str r1, [r0]\n dsb\n isb\n"
      "b %c0\n .ltorg\n" ::"i"(start));
}

typedef void (*handler_t)(void);

__attribute__((section(".vectors"), used, aligned(512))) static const handler_t vectors[16 + 64] = {
    [0] = (handler_t)stack_top,
    [1] = reset_handler,
    [2 ... 15] = default_handler,
    [16 + PILOTLIGHT_TIMER_VECTOR] = pilotlight_timer_interrupt, /* Pilotlight */
    [16 + PILOTLIGHT_NPU_VECTOR] = pilotlight_npu_interrupt,     /* Pilotlight */
};
