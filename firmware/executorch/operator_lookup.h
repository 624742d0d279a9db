// SPDX-License-Identifier: Apache-2.0
//
// What the registry knows about an operator before its arguments' dtypes are looked
// at, and about a kernel's arguments. Private to firmware/executorch.
#pragma once

#include <executorch/runtime/kernel/operator_registry.h>

namespace pilotlight::executorch_runtime {

struct OperatorKernels {
  const executorch::runtime::Kernel* fallback;  // The one for all dtypes and dim orders, or null.
  bool specialised;                             // Others are there too.
};

OperatorKernels FindOperator(const char* name,
                             executorch::runtime::Span<const executorch::runtime::Kernel> kernels);

// What a call of it has to look like; null for a kernel that was registered without.
const char* SignatureOf(const executorch::runtime::Kernel& kernel);

}  // namespace pilotlight::executorch_runtime
