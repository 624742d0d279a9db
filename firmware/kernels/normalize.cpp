// SPDX-License-Identifier: Apache-2.0
#include "pilotlight/kernels/normalize.h"

#include <executorch/runtime/core/exec_aten/util/tensor_util.h>

namespace pilotlight::kernels {

bool IsParameter(const std::optional<Tensor>& tensor, ssize_t count, ScalarType dtype) {
  return !tensor ||
         (tensor->numel() == count && tensor->scalar_type() == dtype &&
          ::executorch::runtime::tensor_is_default_dim_order(*tensor) && HasData(*tensor));
}

}  // namespace pilotlight::kernels
