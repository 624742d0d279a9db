// SPDX-License-Identifier: Apache-2.0
#include "pilotlight/kernels/quantization_tensors.h"

namespace pilotlight::kernels {

using ::executorch::aten::ScalarType;
using ::executorch::aten::Tensor;

double ScaleAt(const Tensor& scales, ssize_t i) {
  switch (scales.scalar_type()) {
    case ScalarType::Float:
      return static_cast<double>(scales.const_data_ptr<float>()[i]);
    case ScalarType::Double:
      return scales.const_data_ptr<double>()[i];
    default:
      return 0;
  }
}

bool ZeroPointAt(const Tensor& zero_points, ssize_t i, std::int64_t& zero_point) {
  switch (zero_points.scalar_type()) {
    case ScalarType::Int:
      zero_point = zero_points.const_data_ptr<std::int32_t>()[i];
      return true;
    case ScalarType::Long:
      zero_point = zero_points.const_data_ptr<std::int64_t>()[i];
      return true;
    default:
      return false;
  }
}

}  // namespace pilotlight::kernels
