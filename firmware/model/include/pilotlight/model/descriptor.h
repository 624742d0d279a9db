/* SPDX-License-Identifier: Apache-2.0
 *
 * The description of one model. The code generator writes it (model_<name>.h/.c/.S)
 * and the model module reads it. Plain C, so that a C app can use it too. All
 * pointers refer to static storage.
 */
#ifndef PILOTLIGHT_MODEL_DESCRIPTOR_H_
#define PILOTLIGHT_MODEL_DESCRIPTOR_H_

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PILOTLIGHT_MAX_RANK 8

/* The numbers are those of ExecuTorch's ScalarType. */
enum pilotlight_dtype {
  PILOTLIGHT_UINT8 = 0,
  PILOTLIGHT_INT8 = 1,
  PILOTLIGHT_INT16 = 2,
  PILOTLIGHT_INT32 = 3,
  PILOTLIGHT_INT64 = 4,
  PILOTLIGHT_FLOAT32 = 6,
  PILOTLIGHT_BOOL = 11
};

/* One input or output. real = (stored - zero_point) * scale; scale 0 means the
 * tensor is not quantised. */
typedef struct pilotlight_tensor_info {
  const char* name;
  uint8_t dtype; /* enum pilotlight_dtype */
  uint8_t rank;
  int32_t dims[PILOTLIGHT_MAX_RANK];
  /* Indices of dims, from outermost to innermost in memory. With dims N, C, H, W:
   * 0, 1, 2, 3 is NCHW in memory, and 0, 2, 3, 1 is NHWC (channels last). */
  uint8_t dim_order[PILOTLIGHT_MAX_RANK];
  float scale;
  int32_t zero_point;
  uint32_t size_bytes;
} pilotlight_tensor_info_t;

/* A block of static memory. */
typedef struct pilotlight_arena {
  uint8_t* data;
  uint32_t size_bytes;
} pilotlight_arena_t;

/* One initial value of the state: `size_bytes` bytes of the .pte at `pte_offset` go to
 * `offset` in the state buffer. */
typedef struct pilotlight_initial_value {
  uint32_t offset;
  uint32_t size_bytes;
  uint32_t pte_offset;
} pilotlight_initial_value_t;

/* An output that the next inference takes as an input, or as one slot of it. In the output, the
 * `block_count` blocks of `block_bytes` bytes follow each other. In the input they are
 * `slots * block_bytes` bytes apart, and the first is at `slot * block_bytes`. */
typedef struct pilotlight_tie {
  uint32_t output;
  uint32_t input;
  int32_t axis;   /* the input's axis along which its slots lie; -1: the whole input, as 1 slot */
  uint32_t slots; /* size of the input along the axis */
  uint32_t block_bytes;
  uint32_t block_count;
} pilotlight_tie_t;

typedef struct pilotlight_model_descriptor {
  const char* name;
  const uint8_t* pte; /* 16-byte aligned, where the NPU can read it */
  uint32_t pte_size_bytes;
  uint8_t pte_sha256[32]; /* all zero: not known, not checked at open */
  const char* npu_config; /* "ethos-u55-128"; "" if nothing is delegated */
  const pilotlight_tensor_info_t* inputs;
  uint32_t input_count;
  const pilotlight_tensor_info_t* outputs;
  uint32_t output_count;
  const char* const* labels; /* class names in index order; NULL: none */
  uint32_t label_count;
  pilotlight_arena_t method_pool;            /* the runtime's structures, filled at load */
  const pilotlight_arena_t* planned_buffers; /* ExecuTorch's memory plan; index: id - 1 */
  uint32_t planned_buffer_count;
  pilotlight_arena_t temp_pool; /* delegate scratch, reused by each inference */
  const char* executorch;       /* version of the exporter; "" or NULL: not known */
  uint32_t state_buffer; /* number, from 1, of the planned buffer that holds the state and nothing
                          * else; 0: the model keeps no state */
  const pilotlight_initial_value_t* initial_values; /* of every value in the state buffer */
  uint32_t initial_value_count;
  uint32_t tied_buffer; /* number, from 1, of the planned buffer that holds the tied inputs and
                         * nothing else, so that an inference does not overwrite them; 0: none */
  const pilotlight_tie_t* ties;
  uint32_t tie_count;
} pilotlight_model_descriptor_t;

#ifdef __cplusplus
}
#endif

#endif /* PILOTLIGHT_MODEL_DESCRIPTOR_H_ */
