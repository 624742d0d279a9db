// SPDX-License-Identifier: Apache-2.0
//
// Kernels that print their arguments and fill their outputs from them: with the same ones on two
// runtimes, what is compared is how the runtimes build and pass values.
#pragma once

#include <executorch/runtime/core/evalue.h>
#include <executorch/runtime/kernel/operator_registry.h>

namespace conformance {

// `name` must stay where it is.
void TraceOperator(const char* name);

// The traced operators, and what is registered under other names; empty when nothing is traced.
executorch::runtime::Span<const executorch::runtime::Kernel> TracingKernels();

// Prints the arguments, then makes the last one, a tensor or a list of them, a function of the
// others.
void Trace(executorch::runtime::Span<executorch::runtime::EValue*> args);

}  // namespace conformance
