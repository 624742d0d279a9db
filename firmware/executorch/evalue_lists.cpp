// SPDX-License-Identifier: Apache-2.0
//
// Lists of optional tensors, and names of tags for messages. The header's template for lists does
// not fit here, because an element of this list may be None.
#include <cstddef>
#include <cstring>
#include <optional>

#include <executorch/runtime/core/evalue.h>
#include <executorch/runtime/core/tag.h>

namespace executorch {
namespace runtime {

using OptionalTensor = std::optional<etensor::Tensor>;

template <>
ArrayRef<OptionalTensor> BoxedEvalueList<OptionalTensor>::get() const {
  for (size_t i = 0; i < wrapped_vals_.size(); ++i) {
    if (wrapped_vals_[i] == nullptr) {
      unwrapped_vals_[i] = std::nullopt;
    } else {
      unwrapped_vals_[i] = wrapped_vals_[i]->to<OptionalTensor>();
    }
  }
  return {unwrapped_vals_, wrapped_vals_.size()};
}

template <>
Result<ArrayRef<OptionalTensor>> BoxedEvalueList<OptionalTensor>::tryGet() const {
  for (size_t i = 0; i < wrapped_vals_.size(); ++i) {
    if (wrapped_vals_[i] == nullptr) {
      unwrapped_vals_[i] = std::nullopt;
      continue;
    }
    Result<OptionalTensor> value = wrapped_vals_[i]->tryToOptional<etensor::Tensor>();
    if (!value.ok()) return value.error();
    unwrapped_vals_[i] = *value;
  }
  return ArrayRef<OptionalTensor>{unwrapped_vals_, wrapped_vals_.size()};
}

size_t tag_to_string(Tag tag, char* buffer, size_t buffer_size) {
  const char* name = "Unknown";  // NOLINT(clang-analyzer-deadcode.DeadStores): for a tag of no name
  switch (tag) {
#define PILOTLIGHT_TAG_NAME(x) \
  case Tag::x:                 \
    name = #x;                 \
    break;
    EXECUTORCH_FORALL_TAGS(PILOTLIGHT_TAG_NAME)
#undef PILOTLIGHT_TAG_NAME
  }
  const size_t length = std::strlen(name);
  if (buffer_size == 0) return length;
  const size_t copied = length < buffer_size ? length : buffer_size - 1;
  std::memcpy(buffer, name, copied);
  buffer[copied] = '\0';
  return length;
}

}  // namespace runtime
}  // namespace executorch
