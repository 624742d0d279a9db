// SPDX-License-Identifier: Apache-2.0
//
// Looks up an operator in the registry without its arguments' dtypes, and the signature of a
// kernel. Private to firmware/executorch.
#pragma once

#include <executorch/runtime/kernel/operator_registry.h>

namespace pilotlight::executorch_runtime {

struct OperatorKernels {
  const executorch::runtime::Kernel* fallback;  // For all dtypes and dim orders, or null.
  bool specialised;                             // There are specialised kernels too.
};

OperatorKernels FindOperator(const char* name,
                             executorch::runtime::Span<const executorch::runtime::Kernel> kernels);

// The kernel's signature; null if the kernel was registered without one.
const char* SignatureOf(const executorch::runtime::Kernel& kernel);

}  // namespace pilotlight::executorch_runtime
