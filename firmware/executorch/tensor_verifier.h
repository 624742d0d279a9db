// SPDX-License-Identifier: Apache-2.0
//
// Verification of one tensor of a program; see program_verifier.h. Private to
// firmware/executorch.
#pragma once

#include "program_schema.h"
#include "program_verifier.h"
#include "refuse.h"

namespace pilotlight::executorch_runtime {

// Shape, type, device, and that its data lies inside what the program declares: a
// planned buffer, the constants' segment, or the initial state of mutable buffers.
executorch::runtime::Error VerifyTensor(const executorch_flatbuffer::Tensor& tensor,
                                        const executorch_flatbuffer::ExecutionPlan& plan,
                                        const executorch_flatbuffer::Program& program,
                                        Bounds& bounds, const Place& place);

}  // namespace pilotlight::executorch_runtime
