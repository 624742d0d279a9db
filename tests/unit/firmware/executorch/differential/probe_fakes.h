// SPDX-License-Identifier: Apache-2.0
//
// Kernels and a backend that print the arguments of their calls.
#pragma once

#include <executorch/runtime/backend/interface.h>
#include <executorch/runtime/core/evalue.h>
#include <executorch/runtime/kernel/kernel_runtime_context.h>

namespace probe {

// Prints its arguments and fills its last tensor from them.
void TracingKernel(executorch::runtime::KernelRuntimeContext& context,
                   executorch::runtime::Span<executorch::runtime::EValue*> args);

// Fails with NotImplemented.
void FailingKernel(executorch::runtime::KernelRuntimeContext& context,
                   executorch::runtime::Span<executorch::runtime::EValue*> args);

// Counts its first argument down, and sets the second to whether it is positive.
void CountdownKernel(executorch::runtime::KernelRuntimeContext& context,
                     executorch::runtime::Span<executorch::runtime::EValue*> args);

// Prints its calls. It refuses data that begin with "BAD!".
executorch::runtime::BackendInterface* TracingBackend();

}  // namespace probe
