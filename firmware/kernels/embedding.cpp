// SPDX-License-Identifier: Apache-2.0
//
// embedding.out: copies rows of a table, of any dtype.
#include <cstdint>
#include <cstring>

#include <executorch/runtime/kernel/kernel_includes.h>

#include "pilotlight/kernels/dtype.h"
#include "pilotlight/kernels/shape.h"

namespace torch {
namespace executor {
namespace native {
namespace {

using namespace pilotlight::kernels;  // NOLINT(google-build-using-namespace)

// The index at `i`. The tensor has one of two dtypes.
std::int64_t IndexAt(const Tensor& indices, ssize_t i) {
  return indices.scalar_type() == ScalarType::Long ? indices.const_data_ptr<std::int64_t>()[i]
                                                   : indices.const_data_ptr<std::int32_t>()[i];
}

}  // namespace

// The other arguments of the signature concern gradients.
Tensor& embedding_out(KernelRuntimeContext& context, const Tensor& weight, const Tensor& indices,
                      int64_t padding_idx, bool scale_grad_by_freq, bool sparse, Tensor& out) {
  static_cast<void>(padding_idx);
  static_cast<void>(scale_grad_by_freq);
  static_cast<void>(sparse);
  bool sound =
      weight.dim() == 2 && out.scalar_type() == weight.scalar_type() &&
      (indices.scalar_type() == ScalarType::Long || indices.scalar_type() == ScalarType::Int) &&
      tensor_is_default_dim_order(weight) && tensor_is_default_dim_order(indices) &&
      tensor_is_default_dim_order(out) && HasData(weight) && HasData(indices);
  Shape shape = ShapeOf(indices);
  sound = sound && shape.Append(weight.size(1));
  for (ssize_t i = 0; i < indices.numel() && sound; ++i) {
    const std::int64_t row = IndexAt(indices, i);
    sound = row >= 0 && row < weight.size(0);
  }
  if (!sound || !Resize(shape, out)) {
    Refuse(context);
    return out;
  }
  const auto row_bytes = static_cast<std::size_t>(weight.size(1) * weight.element_size());
  if (row_bytes == 0) return out;
  const auto* const rows = static_cast<const std::uint8_t*>(weight.const_data_ptr());
  auto* to = static_cast<std::uint8_t*>(out.mutable_data_ptr());
  for (ssize_t i = 0; i < indices.numel(); ++i, to += row_bytes) {
    std::memcpy(to, rows + static_cast<std::size_t>(IndexAt(indices, i)) * row_bytes, row_bytes);
  }
  return out;
}

}  // namespace native
}  // namespace executor
}  // namespace torch
