// SPDX-License-Identifier: Apache-2.0
//
// Verification of one tensor of a program; see program_verifier.h. Private to firmware/executorch.
#pragma once

#include "program_schema.h"
#include "program_verifier.h"
#include "refuse.h"

namespace pilotlight::executorch_runtime {

// Verifies shape, type and device, and that the tensor's data lies inside a part that the program
// declares: a planned buffer, the constants' segment, or the initial state of mutable buffers.
executorch::runtime::Error VerifyTensor(const executorch_flatbuffer::Tensor& tensor,
                                        const executorch_flatbuffer::ExecutionPlan& plan,
                                        const executorch_flatbuffer::Program& program,
                                        Bounds& bounds, const Place& place);

}  // namespace pilotlight::executorch_runtime
