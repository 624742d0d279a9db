/* SPDX-License-Identifier: Apache-2.0
 *
 * An app with an operating system, or with its own clock, sets these functions to replace
 * the bare-metal defaults. Plain C. Set once, through pilotlight_init().
 */
#ifndef PILOTLIGHT_HOOKS_H_
#define PILOTLIGHT_HOOKS_H_

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A NULL member keeps the default. `context` is passed to each function. */
typedef struct pilotlight_hooks {
  void* context;

  /* A mutex for the NPU and the shared arena. It may be held for a whole inference.
   * Default: no lock. Set both or neither. */
  void (*lock)(void* context);
  void (*unlock)(void* context);

  /* wait: blocks until signal() was called since the last return of wait(), or until
   * now_us() reaches `deadline_us`. It may return early. Thread context.
   * signal: ends that wait. Called from the NPU's interrupt.
   * A binary semaphore implements both. Default: WFI until any interrupt, with the timer
   * set to the deadline. Set both or neither. */
  void (*wait)(void* context, uint64_t deadline_us);
  void (*signal)(void* context);

  /* Microseconds; never runs backwards and never wraps. Default: the board's timer. */
  uint64_t (*now_us)(void* context);
} pilotlight_hooks_t;

#ifdef __cplusplus
}
#endif

#endif /* PILOTLIGHT_HOOKS_H_ */
