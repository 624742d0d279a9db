// SPDX-License-Identifier: Apache-2.0
//
// Prints values, tensors and metadata as lines that are equal for equal contents.
#pragma once

#include <cstddef>
#include <cstdint>

#include <executorch/runtime/core/error.h>
#include <executorch/runtime/core/evalue.h>
#include <executorch/runtime/executor/method_meta.h>

namespace probe {

inline unsigned Code(executorch::runtime::Error error) { return static_cast<unsigned>(error); }

std::uint32_t Hash(const void* data, std::size_t size_bytes, std::uint32_t hash = 2166136261u);

void PrintTensor(const executorch::runtime::etensor::Tensor& t);
void PrintValue(const executorch::runtime::EValue& value);
void PrintMeta(const executorch::runtime::MethodMeta& meta);

}  // namespace probe
