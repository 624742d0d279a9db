// SPDX-License-Identifier: Apache-2.0
//
// dim_order_ops::_to_dim_order_copy.out: a copy of another dtype, another order of
// dimensions in memory, or both. Signature derived from kernels.yaml.
#include <cstdint>
#include <optional>

#include <executorch/runtime/kernel/kernel_includes.h>

#include "pilotlight/kernels/dtype.h"

namespace torch {
namespace executor {
namespace native {

namespace {

using pilotlight::kernels::Convert;
using pilotlight::kernels::Selected;
using pilotlight::kernels::WithDtype;

constexpr auto kDtypes = Selected("dim_order_ops::_to_dim_order_copy.out");

// Walks all elements in the output's logical order; each tensor brings its own strides.
template <typename To, typename From>
void Copy(const Tensor& from, Tensor& to) {
  const From* const source = from.const_data_ptr<From>();
  To* const target = to.mutable_data_ptr<To>();
  ssize_t index[kTensorDimensionLimit] = {};
  const ssize_t rank = to.dim();
  ssize_t at_source = 0;
  ssize_t at_target = 0;
  for (ssize_t done = 0; done < to.numel(); ++done) {
    target[at_target] = Convert<To>(source[at_source]);
    for (ssize_t d = rank - 1; d >= 0; --d) {
      const auto dimension = static_cast<std::size_t>(d);
      const ssize_t source_stride = from.strides()[dimension];
      const ssize_t target_stride = to.strides()[dimension];
      at_source += source_stride;
      at_target += target_stride;
      if (++index[d] < to.size(d)) break;
      at_source -= source_stride * index[d];
      at_target -= target_stride * index[d];
      index[d] = 0;
    }
  }
}

}  // namespace

// The output's own dim order is the one that the exporter planned; `dim_order` repeats it.
Tensor& _to_dim_order_copy_out(KernelRuntimeContext& context, const Tensor& self, bool non_blocking,
                               std::optional<ArrayRef<int64_t>> dim_order, Tensor& out) {
  static_cast<void>(dim_order);
  const bool sound =
      !non_blocking && self.dim() <= static_cast<ssize_t>(kTensorDimensionLimit) &&
      resize_tensor(out, self.sizes()) == Error::Ok &&
      (self.numel() == 0 || (self.const_data_ptr() != nullptr && out.const_data_ptr() != nullptr));
  const bool copied = sound && WithDtype<kDtypes>(self.scalar_type(), [&](auto from) {
                        WithDtype<kDtypes>(out.scalar_type(), [&](auto to) {
                          Copy<decltype(to), decltype(from)>(self, out);
                        });
                      });
  const bool known = WithDtype<kDtypes>(out.scalar_type(), [](auto) {});
  if (!copied || !known) context.fail(Error::InvalidArgument);
  return out;
}

}  // namespace native
}  // namespace executor
}  // namespace torch
