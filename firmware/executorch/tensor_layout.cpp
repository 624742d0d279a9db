// SPDX-License-Identifier: Apache-2.0
#include <executorch/runtime/core/tensor_layout.h>

#include <executorch/runtime/core/exec_aten/util/dim_order_util.h>

#include "tensor_extent.h"

namespace executorch {
namespace runtime {

using pilotlight::executorch_runtime::ExtentOfTensor;
using pilotlight::executorch_runtime::TensorExtent;

Result<const TensorLayout> TensorLayout::create(Span<const int32_t> sizes,
                                                Span<const uint8_t> dim_order,
                                                executorch::aten::ScalarType scalar_type) {
  const Result<TensorExtent> extent = ExtentOfTensor(sizes.data(), sizes.size(), scalar_type);
  if (!extent.ok() || dim_order.size() != sizes.size() ||
      !validate_dim_order(dim_order.data(), dim_order.size())) {
    return Error::InvalidArgument;
  }
  return TensorLayout(sizes, dim_order, scalar_type, extent->size_bytes);
}

}  // namespace runtime
}  // namespace executorch
