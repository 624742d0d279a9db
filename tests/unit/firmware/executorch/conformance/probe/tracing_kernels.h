// SPDX-License-Identifier: Apache-2.0
//
// Kernels that print their arguments and compute their outputs from them. Both runtimes use the
// same kernels, so a comparison shows how the runtimes build and pass values.
#pragma once

#include <executorch/runtime/core/evalue.h>
#include <executorch/runtime/kernel/operator_registry.h>

namespace conformance {

// `name` must stay in memory.
void TraceOperator(const char* name);

// The traced operators, and kernels registered under other names. Empty if nothing is traced.
executorch::runtime::Span<const executorch::runtime::Kernel> TracingKernels();

// Prints the arguments. Then it sets the last argument, a tensor or a list of tensors, to a
// function of the others.
void Trace(executorch::runtime::Span<executorch::runtime::EValue*> args);

}  // namespace conformance
