// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <executorch/runtime/executor/method_meta.h>

namespace conformance {

// Calls every function of MethodMeta and TensorInfo, with each index and with the first index
// beyond.
void Print(const executorch::runtime::MethodMeta& meta);

}  // namespace conformance
