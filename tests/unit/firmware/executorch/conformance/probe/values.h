// SPDX-License-Identifier: Apache-2.0
//
// Prints values to the transcript.
#pragma once

#include <executorch/runtime/core/evalue.h>

namespace conformance {

enum class Contents { kHash, kInFull };

// One line each, with every property of the value.
void Print(const executorch::runtime::etensor::Tensor& tensor, Contents contents);
void Print(const executorch::runtime::EValue& value, Contents contents = Contents::kHash);

}  // namespace conformance
