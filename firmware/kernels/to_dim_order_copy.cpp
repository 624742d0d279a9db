// SPDX-License-Identifier: Apache-2.0
//
// dim_order_ops::_to_dim_order_copy.out: a copy of another dtype, another order of
// dimensions in memory, or both. Signature derived from kernels.yaml.
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <type_traits>

#include <executorch/runtime/kernel/kernel_includes.h>

namespace torch {
namespace executor {
namespace native {

// The generator declares this in a header of the image; see quantize_per_tensor.cpp.
Tensor& _to_dim_order_copy_out(KernelRuntimeContext& context, const Tensor& self, bool non_blocking,
                               std::optional<ArrayRef<int64_t>> dim_order, Tensor& out);

namespace {

// Calls `body` with a value of the dtype's C++ type; false for a dtype that is not copied.
template <typename Body>
bool WithType(ScalarType dtype, Body body) {
  switch (dtype) {
    case ScalarType::Bool:
      body(bool{});
      return true;
    case ScalarType::Byte:
      body(std::uint8_t{});
      return true;
    case ScalarType::Char:
      body(std::int8_t{});
      return true;
    case ScalarType::Short:
      body(std::int16_t{});
      return true;
    case ScalarType::Int:
      body(std::int32_t{});
      return true;
    case ScalarType::Long:
      body(std::int64_t{});
      return true;
    case ScalarType::Float:
      body(float{});
      return true;
    default:
      return false;
  }
}

// As PyTorch converts: integers wrap, fractions are cut off, anything but 0 is true. What PyTorch
// leaves open, a float beyond the integer's range, is the nearest limit, and NaN is 0.
template <typename To, typename From>
To Convert(From value) {
  if constexpr (std::is_same_v<To, bool>) {
    return value != From{};
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    using Limits = std::numeric_limits<To>;
    if (std::isnan(value)) return 0;
    if (value >= static_cast<From>(Limits::max())) return Limits::max();
    if (value <= static_cast<From>(Limits::min())) return Limits::min();
    return static_cast<To>(value);
  } else {
    return static_cast<To>(value);
  }
}

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
  const bool copied = sound && WithType(self.scalar_type(), [&](auto from) {
                        WithType(out.scalar_type(),
                                 [&](auto to) { Copy<decltype(to), decltype(from)>(self, out); });
                      });
  const bool known = WithType(out.scalar_type(), [](auto) {});
  if (!copied || !known) context.fail(Error::InvalidArgument);
  return out;
}

}  // namespace native
}  // namespace executor
}  // namespace torch
