// SPDX-License-Identifier: Apache-2.0
#include "overlap.h"

#include <cstdint>

#include <executorch/runtime/core/exec_aten/util/scalar_type_util.h>

#include "tensor_bound.h"

#ifndef PILOTLIGHT_EXECUTORCH_VERIFIER
#define PILOTLIGHT_EXECUTORCH_VERIFIER 1
#endif

namespace pilotlight::executorch_runtime {
namespace {

using executorch::runtime::EValue;
using executorch::runtime::etensor::Tensor;
using executorch::runtime::internal::TensorResizerFriend;

struct Range {
  std::uintptr_t begin;
  std::size_t bytes;
};

Range RangeOf(const Tensor& tensor) {
  const auto begin = reinterpret_cast<std::uintptr_t>(tensor.const_data_ptr());
  const std::size_t item = executorch::runtime::elementSize(tensor.scalar_type());
  return {begin, begin == 0 ? 0 : TensorResizerFriend::BoundOf(tensor) * item};
}

bool Share(const Range& a, const Range& b) {
  if (a.bytes == 0 || b.bytes == 0) return false;
  return a.begin < b.begin ? b.begin - a.begin < a.bytes : a.begin - b.begin < b.bytes;
}

// The number of tensors in a value: 1 for a tensor, or the length of a list of tensors.
std::size_t CountTensors(const EValue& value) {
  if (value.isTensorList()) return value.toTensorList().size();
  if (value.isListOptionalTensor()) return value.toListOptionalTensor().size();
  return value.isTensor() ? 1 : 0;
}

Range TensorRange(const EValue& value, std::size_t index) {
  if (value.isTensor()) return RangeOf(value.toTensor());
  if (value.isTensorList()) return RangeOf(value.toTensorList()[index]);
  const auto& tensor = value.toListOptionalTensor()[index];
  return tensor.has_value() ? RangeOf(*tensor) : Range{0, 0};
}

// Whether a tensor of `one` shares memory with a tensor of `other`. `within`: `one` and `other` are
// the same argument, and different tensors of its list are compared.
bool Share(const EValue& one, const EValue& other, bool within) {
  const std::size_t others = CountTensors(other);
  for (std::size_t i = CountTensors(one); i-- > 0;) {
    const Range range = TensorRange(one, i);
    for (std::size_t k = 0; k < (within ? i : others); ++k) {
      if (Share(range, TensorRange(other, k))) return true;
    }
  }
  return false;
}

}  // namespace

bool FindWritten(const char* signature, WrittenArgs* written) {
  std::size_t argument = 0;
  *written = {0, 0, false};
  for (; *signature != '\0'; ++signature) {
    if (*signature == '?' || *signature == '>') continue;
    if (written->returned) return false;  // The returned value is the last argument.
    written->returned = *signature == '*' || *signature == '0';
    if (*signature == 'w' || *signature == 'W') {
      if (written->count == 0) written->first = argument;
      if (written->first + written->count != argument) return false;
      ++written->count;
    }
    ++argument;
  }
  return written->first <= WrittenArgs::kLargestFirst &&
         written->count <= WrittenArgs::kLargestCount;
}

Overlap FindOverlap(executorch::runtime::Span<EValue*> args, WrittenArgs written) {
  if (PILOTLIGHT_EXECUTORCH_VERIFIER == 0) return {false, 0, 0};
  const std::size_t end = written.first + written.count;
  const std::size_t count = args.size() - (written.returned ? 1 : 0);
  for (std::size_t w = written.first; w < end; ++w) {
    for (std::size_t other = 0; other < count; ++other) {
      if (Share(*args[w], *args[other], other == w)) return {true, w, other};
    }
  }
  return {false, 0, 0};
}

}  // namespace pilotlight::executorch_runtime
