// SPDX-License-Identifier: Apache-2.0
//
// The calls that an application may make on a loaded method, valid and invalid ones.
#pragma once

#include <executorch/runtime/executor/method.h>

#include "values.h"

namespace conformance {

// Makes every call: before inputs are set, with wrong inputs, as a whole, in steps, twice.
void ExerciseMethod(executorch::runtime::Method& method);

// Runs the method twice with different inputs, and prints the outputs in full.
void RunMethod(executorch::runtime::Method& method);

}  // namespace conformance
