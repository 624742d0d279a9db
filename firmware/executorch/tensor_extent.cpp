// SPDX-License-Identifier: Apache-2.0
#include "tensor_extent.h"

#include <c10/util/safe_numerics.h>
#include <executorch/runtime/core/exec_aten/util/scalar_type_util.h>

namespace pilotlight::executorch_runtime {
namespace {

using executorch::runtime::Error;
using executorch::runtime::Result;

// TensorImpl counts in ssize_t.
constexpr std::size_t kMaxCount = SIZE_MAX / 2;

// The header's elementSize() aborts on an unknown type. A file must not be able to cause that.
std::size_t ElementSizeOrZero(executorch::aten::ScalarType scalar_type) {
  switch (scalar_type) {
#define PILOTLIGHT_ELEMENT_SIZE(ctype, name) \
  case executorch::aten::ScalarType::name:   \
    return sizeof(ctype);
    ET_FORALL_SCALAR_TYPES(PILOTLIGHT_ELEMENT_SIZE)
#undef PILOTLIGHT_ELEMENT_SIZE
    default:
      return 0;
  }
}

}  // namespace

Result<TensorExtent> ExtentOfTensor(const std::int32_t* sizes, std::size_t rank,
                                    executorch::aten::ScalarType scalar_type, const Place& place) {
  const std::size_t element_size = ElementSizeOrZero(scalar_type);
  if (element_size == 0) {
    return PILOTLIGHT_REFUSE_AT(place, Error::InvalidProgram, "unknown scalar type %d",
                                static_cast<int>(scalar_type));
  }
  std::size_t size_bytes = element_size;
  for (std::size_t i = 0; i < rank; ++i) {
    if (sizes[i] < 0) {
      return PILOTLIGHT_REFUSE_AT(place, Error::InvalidProgram,
                                  "size %d of dimension %zu is negative",
                                  static_cast<int>(sizes[i]), i);
    }
    if (c10::mul_overflows(size_bytes, static_cast<std::size_t>(sizes[i]), &size_bytes) ||
        size_bytes > kMaxCount) {
      return PILOTLIGHT_REFUSE_AT(place, Error::InvalidProgram, "too large, at dimension %zu", i);
    }
  }
  return TensorExtent{element_size, size_bytes};
}

}  // namespace pilotlight::executorch_runtime
