/* SPDX-License-Identifier: Apache-2.0
 *
 * What an app with an operating system, or with a clock of its own, puts in place
 * of the bare-metal defaults. Plain C. Set once, through pilotlight_init().
 */
#ifndef PILOTLIGHT_HOOKS_H_
#define PILOTLIGHT_HOOKS_H_

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* NULL members keep the default. `context` is handed to each. */
typedef struct pilotlight_hooks {
  void* context;

  /* Around everything that touches the NPU or the shared arena: a mutex, which may be
   * held for a whole inference. Default: nothing. Both or neither. */
  void (*lock)(void* context);
  void (*unlock)(void* context);

  /* wait: blocks until signal() was called since the last return of wait(), or until
   * now_us() reaches `deadline_us`; may return early. Thread context.
   * signal: ends that wait; called from the NPU's interrupt. A binary semaphore is both.
   * Default: WFI until any interrupt, with a timer armed for the deadline. Both or neither. */
  void (*wait)(void* context, uint64_t deadline_us);
  void (*signal)(void* context);

  /* Microseconds that never run backwards nor wrap. Default: the board's timer. */
  uint64_t (*now_us)(void* context);
} pilotlight_hooks_t;

#ifdef __cplusplus
}
#endif

#endif /* PILOTLIGHT_HOOKS_H_ */
