/* SPDX-License-Identifier: Apache-2.0
 *
 * Interrupt handlers for an app that has its own vector table.
 */
#ifndef PILOTLIGHT_INTERRUPTS_H_
#define PILOTLIGHT_INTERRUPTS_H_

#include "pilotlight/board_config.h"

/* Interrupt numbers: position in the vector table minus 16. An NPU behind a mailbox
 * interrupts through the doorbell UART. */
#if defined(PILOTLIGHT_BOARD_NPU_IRQ)
#define PILOTLIGHT_NPU_VECTOR PILOTLIGHT_BOARD_NPU_IRQ
#else
#define PILOTLIGHT_NPU_VECTOR PILOTLIGHT_BOARD_DOORBELL_IRQ
#endif
#define PILOTLIGHT_TIMER_VECTOR PILOTLIGHT_BOARD_TIMER_IRQ

#ifdef __cplusplus
extern "C" {
#endif

/* The handler of PILOTLIGHT_NPU_VECTOR. */
void pilotlight_npu_interrupt(void);

/* The handler of PILOTLIGHT_TIMER_VECTOR. An app that sets the hooks wait, signal and
 * now_us does not need it, because Pilotlight does not use the timer then. */
void pilotlight_timer_interrupt(void);

#ifdef __cplusplus
}
#endif

#endif /* PILOTLIGHT_INTERRUPTS_H_ */
