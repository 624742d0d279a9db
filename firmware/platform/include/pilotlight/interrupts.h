/* SPDX-License-Identifier: Apache-2.0
 *
 * Interrupt handlers that an app with a vector table of its own enters there.
 */
#ifndef PILOTLIGHT_INTERRUPTS_H_
#define PILOTLIGHT_INTERRUPTS_H_

#include "pilotlight/board_config.h"

/* Interrupt numbers: position in the vector table less 16. An NPU behind a mailbox
 * interrupts by its doorbell. */
#if defined(PILOTLIGHT_BOARD_NPU_IRQ)
#define PILOTLIGHT_NPU_VECTOR PILOTLIGHT_BOARD_NPU_IRQ
#else
#define PILOTLIGHT_NPU_VECTOR PILOTLIGHT_BOARD_DOORBELL_IRQ
#endif
#define PILOTLIGHT_TIMER_VECTOR PILOTLIGHT_BOARD_TIMER_IRQ

#ifdef __cplusplus
extern "C" {
#endif

/* At PILOTLIGHT_NPU_VECTOR. */
void pilotlight_npu_interrupt(void);

/* At PILOTLIGHT_TIMER_VECTOR. Not needed by an app that sets the hooks wait, signal
 * and now_us: the timer is left alone then. */
void pilotlight_timer_interrupt(void);

#ifdef __cplusplus
}
#endif

#endif /* PILOTLIGHT_INTERRUPTS_H_ */
