/* SPDX-License-Identifier: Apache-2.0
 *
 * Inference for a C or C++ app: open a model that is linked into the image (or is
 * elsewhere in memory), fill its inputs in place, run it, read its outputs.
 *
 * Owns the NPU and the runtime's registries, in static memory. Allocates nothing,
 * prints nothing, and has no constructors that run before main(). It does not know
 * where inputs come from or how the app is scheduled.
 *
 *     static pilotlight_model_t digits;
 *     pilotlight_init(NULL);
 *     pilotlight_open(&digits, &pilotlight_model_digits);   // from model_digits.h
 *     memcpy(pilotlight_input(&digits, 0).data, pixels, PILOTLIGHT_DIGITS_INPUT_0_SIZE_BYTES);
 *     pilotlight_run(&digits, 100000);
 *     const int8_t* scores = pilotlight_output(&digits, 0).data;
 *
 * Thread context only. Models run one after another. If the app sets the lock hooks
 * of pilotlight_hooks_t, different threads may call functions for different models.
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

/* Why a call failed. Each value asks the caller for a different reaction. The numbers
 * are those of pilotlight::Status. */
typedef enum pilotlight_status {
  PILOTLIGHT_OK = 0,
  PILOTLIGHT_TIMEOUT = 1,      /* Deadline passed; the NPU was reset, run again. */
  PILOTLIGHT_BUSY = 2,         /* Open already, or initialised already. */
  PILOTLIGHT_BAD_MODEL = 3,    /* The .pte is damaged or is not the one described. */
  PILOTLIGHT_UNSUPPORTED = 4,  /* Needs an operator or backend that this image lacks. */
  PILOTLIGHT_NO_MEMORY = 5,    /* A pool of the descriptor is too small. */
  PILOTLIGHT_MISALIGNED = 6,   /* Program or pool breaks an alignment rule. */
  PILOTLIGHT_DEVICE_FAULT = 7, /* The NPU reported a fault; it was reset, run again. */
  PILOTLIGHT_BAD_ARGUMENT = 8, /* Index, size or state that the call does not allow. */
  PILOTLIGHT_WRONG_NPU = 9     /* Compiled for another NPU configuration. */
} pilotlight_status_t;

/* Describes a status in a few words; never NULL. Any context. */
const char* pilotlight_status_text(pilotlight_status_t status);

typedef struct pilotlight_options {
  pilotlight_hooks_t hooks; /* All zero: bare metal, the board's clock, WFI. */
  /* Memory near the NPU, for programs compiled with a Dedicated_Sram memory mode.
   * 32-byte aligned, a multiple of 32 bytes long. It must stay valid from then on.
   * NULL: none. */
  uint8_t* fast_scratch;
  uint32_t fast_scratch_bytes;
} pilotlight_options_t;

/* Resets the NPU and registers the delegate and the CPU operators of the image. Call
 * it once, before any other function here. NULL stands for options that are all zero.
 * An app with its own start-up code must first set up its stack, .data and .bss,
 * enable the floating point unit, and put pilotlight_npu_interrupt() into its vector
 * table (pilotlight/interrupts.h).
 *
 * PILOTLIGHT_BUSY          called before.
 * PILOTLIGHT_BAD_ARGUMENT  address or size of fast_scratch is not a multiple of 32.
 * PILOTLIGHT_TIMEOUT, _UNSUPPORTED, _DEVICE_FAULT   the NPU did not answer, or this
 *     driver does not support it. Models that need no NPU can still be opened.
 * pilotlight_init_failure() gives the details. */
pilotlight_status_t pilotlight_init(const pilotlight_options_t* options);

/* Why pilotlight_init() failed, in one line; "" after success. */
const char* pilotlight_init_failure(void);

/* Arm's name of the NPU that answered, such as "ethos-u55-128"; "" if none did. */
const char* pilotlight_npu(void);

#define PILOTLIGHT_MODEL_WORDS 288

/* One model. Place it in static storage (1,152 bytes on Cortex-M), and do not copy or
 * move it while it is open. All-zero storage is a closed model. */
typedef struct pilotlight_model {
  union {
    uint64_t alignment;
    void* words[PILOTLIGHT_MODEL_WORDS];
  } opaque;
} pilotlight_model_t;

/* Loads the program of `descriptor` into the pools that the descriptor names, and
 * checks that program, descriptor and NPU match. `descriptor` must outlive the open
 * model.
 *
 * PILOTLIGHT_BUSY          this model is open.
 * PILOTLIGHT_BAD_ARGUMENT  a pointer is NULL, or pilotlight_init() was not called.
 * PILOTLIGHT_BAD_MODEL, _UNSUPPORTED, _NO_MEMORY, _MISALIGNED, _WRONG_NPU: as above.
 * The status of pilotlight_init(), if that call failed and the model needs the NPU.
 * pilotlight_failure() gives the details. */
pilotlight_status_t pilotlight_open(pilotlight_model_t* model,
                                    const pilotlight_model_descriptor_t* descriptor);

/* Closes the model and releases its pools. Does nothing if the model is not open. */
void pilotlight_close(pilotlight_model_t* model);

/* An input or output: its description and its memory. */
typedef struct pilotlight_tensor {
  const pilotlight_tensor_info_t* info; /* name, dtype, shape, layout, scale, ...; NULL: none */
  void* data;                           /* NULL: none */
  uint32_t size_bytes;
} pilotlight_tensor_t;

uint32_t pilotlight_input_count(const pilotlight_model_t* model);
uint32_t pilotlight_output_count(const pilotlight_model_t* model);

/* The memory of input `index`. Call this and fill the memory before each
 * pilotlight_run(), because an inference may overwrite it. Tied inputs are filled by
 * pilotlight_commit_ties(). info->dim_order gives the
 * memory layout. The model's header has the stride of each dimension,
 * PILOTLIGHT_<NAME>_INPUT_<i>_STRIDE_<d>. All zero if there is no such input. */
pilotlight_tensor_t pilotlight_input(pilotlight_model_t* model, uint32_t index);

/* The memory of output `index`. It holds a result only after pilotlight_run() returned
 * PILOTLIGHT_OK, and only until the next call of pilotlight_input() or pilotlight_run()
 * for any model that shares its arena. All zero if there is no such output. */
pilotlight_tensor_t pilotlight_output(const pilotlight_model_t* model, uint32_t index);

/* Runs the model once and returns when its outputs are ready. `timeout_us` bounds
 * only the time on the NPU; CPU operators run to their end.
 *
 * PILOTLIGHT_BAD_ARGUMENT  the model is not open, or pilotlight_input() was not called
 *     for every input since the last run.
 * PILOTLIGHT_TIMEOUT, _DEVICE_FAULT  the NPU was reset. Fill the inputs and run again.
 *     If the model keeps state, call pilotlight_reset_state() first.
 * PILOTLIGHT_NO_MEMORY     the temp pool is too small.
 * PILOTLIGHT_BAD_MODEL     an operator refused its arguments. */
pilotlight_status_t pilotlight_run(pilotlight_model_t* model, uint32_t timeout_us);

/* Resets the model's state: buffers that one inference leaves to the next, such as a
 * running average or a hidden state. They get the values that pilotlight_open() gave
 * them. Call it before the first step of a new sequence. Inputs and outputs do not
 * change. Does nothing if the model keeps no state.
 *
 * PILOTLIGHT_BAD_ARGUMENT  the model is not open. */
pilotlight_status_t pilotlight_reset_state(pilotlight_model_t* model);

/* Fills the model's tied inputs, such as the cache of a language model, with zeros (as
 * real numbers). This counts as filling them. Call it before the first step of a new
 * sequence. Does nothing if the model has no ties.
 *
 * PILOTLIGHT_BAD_ARGUMENT  the model is not open. */
pilotlight_status_t pilotlight_reset_ties(pilotlight_model_t* model);

/* Copies the tied outputs of the last pilotlight_run() into slot `slot` of their inputs.
 * An output that is tied as a whole replaces its input, whatever the slot. The tied inputs
 * then count as filled for the next run, so an app fills only the others. Call it after
 * pilotlight_run(), before pilotlight_input(). A failed run leaves the tied inputs filled.
 *
 * PILOTLIGHT_BAD_ARGUMENT  the model is not open or has no ties, an input has no such
 *     slot, or there are no outputs to commit: the last run failed, was committed already,
 *     or pilotlight_input() was called since. */
pilotlight_status_t pilotlight_commit_ties(pilotlight_model_t* model, uint32_t slot);

/* Why the last pilotlight_open(), pilotlight_run() or pilotlight_commit_ties() of this
 * model failed, in one line; "" after success. */
const char* pilotlight_failure(const pilotlight_model_t* model);

/* For tests: fills outputs, inputs and scratch with `pattern`, so that no data of an
 * earlier inference can pass for a result. State does not change. All inputs must be
 * filled again. Does nothing if the model is not open. */
void pilotlight_poison(pilotlight_model_t* model, uint8_t pattern);

#define PILOTLIGHT_NPU_EVENTS 4

typedef struct pilotlight_pool_use {
  uint32_t used_bytes; /* High-water mark since pilotlight_open(). */
  uint32_t size_bytes;
} pilotlight_pool_use_t;

typedef struct pilotlight_statistics {
  /* The last pilotlight_run(); zero before the first. */
  uint64_t duration_us;
  uint64_t cpu_cycles; /* Without waits for the NPU. Instructions, if an emulator counts them. */
  uint64_t npu_cycles;
  uint64_t npu_us; /* The part of duration_us in which the NPU ran and the CPU waited. */
  uint32_t npu_runs;
  uint32_t npu_status; /* The NPU's STATUS register if a run on it failed; else 0. */
  struct {
    uint32_t event; /* PMU event number of the Ethos-U. */
    uint32_t count;
  } npu_events[PILOTLIGHT_NPU_EVENTS];
  /* Memory, since pilotlight_open(). */
  pilotlight_pool_use_t method_pool;
  pilotlight_pool_use_t temp_pool;
  pilotlight_pool_use_t planned;
} pilotlight_statistics_t;

/* All zero if the model is not open. */
pilotlight_statistics_t pilotlight_stats(const pilotlight_model_t* model);

#ifdef __cplusplus
}
#endif

#endif /* PILOTLIGHT_PILOTLIGHT_H_ */
