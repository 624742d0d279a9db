/* SPDX-License-Identifier: Apache-2.0
 *
 * Inference for a C or C++ app: open a model that is linked into the image (or
 * lies anywhere in memory), fill its inputs in place, run it, read its outputs.
 *
 * Owns the NPU and the runtime's registries, in static memory. Allocates nothing,
 * prints nothing, has no constructors that run before main(). Knows neither where
 * inputs come from nor what schedules the app.
 *
 *     static pilotlight_model_t digits;
 *     pilotlight_init(NULL);
 *     pilotlight_open(&digits, &pilotlight_model_digits);   // from model_digits.h
 *     memcpy(pilotlight_input(&digits, 0).data, pixels, PILOTLIGHT_DIGITS_INPUT_0_SIZE_BYTES);
 *     pilotlight_run(&digits, 100000);
 *     const int8_t* scores = pilotlight_output(&digits, 0).data;
 *
 * Thread context only. Models run one after another; with the lock hooks of
 * pilotlight_hooks_t, calls for different models may come from different threads.
 * One model belongs to one thread at a time. Design: firmware/model/DESIGN.md
 */
#ifndef PILOTLIGHT_PILOTLIGHT_H_
#define PILOTLIGHT_PILOTLIGHT_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pilotlight/hooks.h"
#include "pilotlight/model/descriptor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Why a call did not do what it was asked. Each value is something else to do
 * about it; the numbers are those of pilotlight::Status. */
typedef enum pilotlight_status {
  PILOTLIGHT_OK = 0,
  PILOTLIGHT_TIMEOUT = 1,      /* Deadline passed; the NPU was reset, run again. */
  PILOTLIGHT_BUSY = 2,         /* Open already. */
  PILOTLIGHT_BAD_MODEL = 3,    /* The .pte is damaged or not the one described. */
  PILOTLIGHT_UNSUPPORTED = 4,  /* Needs an operator or backend that this image lacks. */
  PILOTLIGHT_NO_MEMORY = 5,    /* A pool of the descriptor is too small. */
  PILOTLIGHT_MISALIGNED = 6,   /* Program or pool breaks an alignment rule. */
  PILOTLIGHT_DEVICE_FAULT = 7, /* The NPU reported a fault; it was reset, run again. */
  PILOTLIGHT_BAD_ARGUMENT = 8, /* Index, size or state that the call's contract excludes. */
  PILOTLIGHT_WRONG_NPU = 9     /* Compiled for another NPU configuration. */
} pilotlight_status_t;

/* The name of a status, in words; never NULL. Any context. */
const char* pilotlight_status_text(pilotlight_status_t status);

typedef struct pilotlight_options {
  pilotlight_hooks_t hooks; /* All zero: bare metal, the board's clock, WFI. */
  /* Memory near the NPU for programs compiled with a Dedicated_Sram memory mode;
   * 32-byte aligned, whole cache lines, borrowed for good. NULL: none. */
  uint8_t* fast_scratch;
  uint32_t fast_scratch_bytes;
} pilotlight_options_t;

/* Resets the NPU, registers the delegate and the CPU operators of the image. Call
 * once, before anything else here; NULL stands for options that are all zero. An
 * app that does not use Pilotlight's start-up has by then set up its stack, .data
 * and .bss, enabled the floating point unit, and entered NpuInterrupt() in its
 * vector table.
 *
 * PILOTLIGHT_BUSY          called before.
 * PILOTLIGHT_BAD_ARGUMENT  fast_scratch is misaligned.
 * PILOTLIGHT_TIMEOUT, _UNSUPPORTED, _DEVICE_FAULT   the NPU did not answer as one that
 *     this driver knows. Models that need no NPU can be opened all the same.
 * pilotlight_init_failure() says which. */
pilotlight_status_t pilotlight_init(const pilotlight_options_t* options);

/* Why pilotlight_init() failed, one line; "" after success. */
const char* pilotlight_init_failure(void);

/* The NPU that answered, as Arm names it ("ethos-u55-128"); "" when none did. */
const char* pilotlight_npu(void);

#define PILOTLIGHT_MODEL_WORDS 288

/* One open model. Place it in static storage (1,152 bytes on Cortex-M) and
 * leave it where it is while open. All zero is closed. */
typedef struct pilotlight_model {
  union {
    uint64_t alignment;
    void* words[PILOTLIGHT_MODEL_WORDS];
  } opaque;
} pilotlight_model_t;

/* Loads the program of `descriptor`, which must live on, into the pools that the
 * descriptor names, and verifies program, description and NPU against each other.
 *
 * PILOTLIGHT_BUSY          this model is open.
 * PILOTLIGHT_BAD_ARGUMENT  pilotlight_init() was not called.
 * PILOTLIGHT_BAD_MODEL, _UNSUPPORTED, _NO_MEMORY, _MISALIGNED, _WRONG_NPU: as above.
 * What pilotlight_init() returned, when the model needs the NPU and there is none.
 * pilotlight_failure() says which. */
pilotlight_status_t pilotlight_open(pilotlight_model_t* model,
                                    const pilotlight_model_descriptor_t* descriptor);

/* Gives the pools back. Does nothing when the model is not open. */
void pilotlight_close(pilotlight_model_t* model);

/* An input or output: what is known about it, and where it lies. */
typedef struct pilotlight_tensor {
  const pilotlight_tensor_info_t* info; /* name, dtype, shape, layout, scale, ...; NULL: none */
  void* data;                           /* NULL: none */
  uint32_t size_bytes;
} pilotlight_tensor_t;

uint32_t pilotlight_input_count(const pilotlight_model_t* model);
uint32_t pilotlight_output_count(const pilotlight_model_t* model);

/* The memory of input `index`, to be filled in place before each pilotlight_run():
 * an inference may overwrite it. Elements lie as info->dim_order says; the header of
 * the model has the stride of each dimension, PILOTLIGHT_<NAME>_INPUT_<i>_STRIDE_<d>.
 * All NULL when there is no such input. */
pilotlight_tensor_t pilotlight_input(pilotlight_model_t* model, uint32_t index);

/* The memory of output `index`: a result only after pilotlight_run() returned
 * PILOTLIGHT_OK, until the next call of pilotlight_input() or pilotlight_run() for
 * any model that shares its arena. All NULL when there is no such output. */
pilotlight_tensor_t pilotlight_output(const pilotlight_model_t* model, uint32_t index);

/* Runs the model once and returns when its outputs are there. `timeout_us` bounds
 * the NPU's part; CPU operators run to their end.
 *
 * PILOTLIGHT_BAD_ARGUMENT  not open, or an input was not asked for since the last run.
 * PILOTLIGHT_TIMEOUT, _DEVICE_FAULT  the NPU was reset; fill the inputs and run again,
 *     a model that keeps state after pilotlight_reset_state().
 * PILOTLIGHT_NO_MEMORY     the temp pool is too small.
 * PILOTLIGHT_BAD_MODEL     an operator refused its arguments. */
pilotlight_status_t pilotlight_run(pilotlight_model_t* model, uint32_t timeout_us);

/* Gives the buffers that the model changes from one inference to the next (a running
 * average, a hidden state) the values that pilotlight_open() gave them: before the
 * first step of another sequence. Inputs and outputs stay as they are, and so does a
 * model that keeps no state.
 *
 * PILOTLIGHT_BAD_ARGUMENT  not open. */
pilotlight_status_t pilotlight_reset_state(pilotlight_model_t* model);

/* Why the last pilotlight_open() or pilotlight_run() of this model failed, one line;
 * "" after success. */
const char* pilotlight_failure(const pilotlight_model_t* model);

/* Fills outputs, inputs and scratch with `pattern`, so that nothing of an earlier
 * inference can pass for a result; state stays. For tests; does nothing when not open. */
void pilotlight_poison(pilotlight_model_t* model, uint8_t pattern);

#define PILOTLIGHT_NPU_EVENTS 4

typedef struct pilotlight_pool_use {
  uint32_t used_bytes; /* High-water mark since pilotlight_open(). */
  uint32_t size_bytes;
} pilotlight_pool_use_t;

typedef struct pilotlight_statistics {
  /* The last pilotlight_run(); zero before the first. */
  uint64_t duration_us;
  uint64_t cpu_cycles; /* Without the waits for the NPU; instructions where an emulator counts. */
  uint64_t npu_cycles;
  uint64_t npu_us; /* Of duration_us: the NPU had the stream, and the CPU slept. */
  uint32_t npu_runs;
  uint32_t npu_status; /* The NPU's STATUS register when a run failed; else 0. */
  struct {
    uint32_t event; /* PMU event number of the Ethos-U. */
    uint32_t count;
  } npu_events[PILOTLIGHT_NPU_EVENTS];
  /* Memory, since pilotlight_open(). */
  pilotlight_pool_use_t method_pool;
  pilotlight_pool_use_t temp_pool;
  pilotlight_pool_use_t planned;
} pilotlight_statistics_t;

/* All zero when the model is not open. */
pilotlight_statistics_t pilotlight_stats(const pilotlight_model_t* model);

#ifdef __cplusplus
}
#endif

#endif /* PILOTLIGHT_PILOTLIGHT_H_ */
