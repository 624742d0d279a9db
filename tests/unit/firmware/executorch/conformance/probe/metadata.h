// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <executorch/runtime/executor/method_meta.h>

namespace conformance {

// Calls every function of MethodMeta and TensorInfo, with each valid index and with the first
// invalid one.
void Print(const executorch::runtime::MethodMeta& meta);

}  // namespace conformance
