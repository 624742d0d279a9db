/* SPDX-License-Identifier: Apache-2.0
 *
 * The code generator writes these definitions, once per image.
 */
#ifndef PILOTLIGHT_MODELS_H_
#define PILOTLIGHT_MODELS_H_

#include <stdint.h>

#include "pilotlight/model/descriptor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* All models of the image, in the order in which the build names them. The macro
 * PILOTLIGHT_MODEL_COUNT has the same count as a constant, for array sizes. */
extern const pilotlight_model_descriptor_t* const pilotlight_models[];
extern const uint32_t pilotlight_model_count;

/* Registers the CPU operators that these models use. pilotlight_init() calls it. */
void pilotlight_register_operators(void);

#ifdef __cplusplus
}
#endif

#endif /* PILOTLIGHT_MODELS_H_ */
