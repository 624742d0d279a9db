// SPDX-License-Identifier: Apache-2.0
//
// Values in the transcript.
#pragma once

#include <executorch/runtime/core/evalue.h>

namespace conformance {

enum class Contents { kHash, kInFull };

// A line each, with all that can be asked of them.
void Print(const executorch::runtime::etensor::Tensor& tensor, Contents contents);
void Print(const executorch::runtime::EValue& value, Contents contents = Contents::kHash);

}  // namespace conformance
