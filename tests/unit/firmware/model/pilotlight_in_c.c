// SPDX-License-Identifier: Apache-2.0
//
// Checks that pilotlight.h compiles as C11 with all warnings.
#include "pilotlight/pilotlight.h"

#include "pilotlight/interrupts.h"

int pilotlight_c_can_use_the_header(pilotlight_model_t* model);

int pilotlight_c_can_use_the_header(pilotlight_model_t* model) {
  const pilotlight_options_t options = {.hooks = {.lock = NULL}};
  return pilotlight_init(&options) == PILOTLIGHT_BUSY ? (int)pilotlight_input_count(model) : -1;
}
