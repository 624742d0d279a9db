// SPDX-License-Identifier: Apache-2.0
//
// What an application may do with a loaded method, right and wrong.
#pragma once

#include <executorch/runtime/executor/method.h>

#include "values.h"

namespace conformance {

// Every call there is: before inputs are set, with wrong inputs, whole, in steps, twice.
void ExerciseMethod(executorch::runtime::Method& method);

// Two runs with different inputs, and the outputs in full.
void RunMethod(executorch::runtime::Method& method);

}  // namespace conformance
