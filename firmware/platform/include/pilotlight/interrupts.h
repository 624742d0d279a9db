/* SPDX-License-Identifier: Apache-2.0
 *
 * Interrupt handlers that an app with a vector table of its own enters there. The
 * numbers are in the generated pilotlight/board_config.h.
 */
#ifndef PILOTLIGHT_INTERRUPTS_H_
#define PILOTLIGHT_INTERRUPTS_H_

#ifdef __cplusplus
extern "C" {
#endif

/* At PILOTLIGHT_BOARD_NPU_IRQ; on a board whose NPU is behind a mailbox, at
 * PILOTLIGHT_BOARD_DOORBELL_IRQ. */
void pilotlight_npu_interrupt(void);

/* At PILOTLIGHT_BOARD_TIMER_IRQ. Not needed by an app that sets the hooks wait, signal
 * and now_us: the timer is left alone then. */
void pilotlight_timer_interrupt(void);

#ifdef __cplusplus
}
#endif

#endif /* PILOTLIGHT_INTERRUPTS_H_ */
