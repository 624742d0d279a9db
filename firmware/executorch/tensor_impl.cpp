// SPDX-License-Identifier: Apache-2.0
//
// TensorImpl: a view of memory with a shape. The shape may shrink and grow within the bound that
// was planned for it.
#include <executorch/runtime/core/portable_type/tensor_impl.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include <c10/util/safe_numerics.h>
#include <executorch/runtime/core/exec_aten/util/dim_order_util.h>
#include <executorch/runtime/core/exec_aten/util/scalar_type_util.h>
#include <executorch/runtime/core/exec_aten/util/tensor_shape_to_c_string.h>

#include "refuse.h"

namespace executorch {
namespace runtime {
namespace etensor {

namespace {

// The other sizes of a shape with no elements have no bound, so their product may overflow.
bool StridesFit(ArrayRef<TensorImpl::SizesType> sizes) {
  TensorImpl::StridesType product = 1;
  for (const TensorImpl::SizesType size : sizes) {
    if (size != 0 && c10::mul_overflows(product, size, &product)) return false;
  }
  return true;
}

}  // namespace

ssize_t compute_numel(const TensorImpl::SizesType* sizes, ssize_t dim) {
  ET_CHECK_MSG(dim == 0 || sizes != nullptr, "A tensor of rank %zd has no sizes", dim);
  ssize_t numel = 1;
  for (ssize_t i = 0; i < dim; ++i) {
    ET_CHECK_MSG(sizes[i] >= 0, "Size %d of dimension %zd is negative", static_cast<int>(sizes[i]),
                 i);
    numel *= sizes[i];
  }
  return numel;
}

Result<ssize_t> safe_numel(const TensorImpl::SizesType* sizes, ssize_t dim) {
  if (dim != 0 && sizes == nullptr) return Error::InvalidArgument;
  ssize_t numel = 1;
  for (ssize_t i = 0; i < dim; ++i) {
    if (sizes[i] < 0 || c10::mul_overflows(numel, static_cast<ssize_t>(sizes[i]), &numel)) {
      return PILOTLIGHT_REFUSE(Error::InvalidArgument,
                               "Size %d of dimension %zd is negative or too large",
                               static_cast<int>(sizes[i]), i);
    }
  }
  return numel;
}

TensorImpl::TensorImpl(ScalarType type, ssize_t dim, SizesType* sizes, void* data,
                       DimOrderType* dim_order, StridesType* strides, TensorShapeDynamism dynamism,
                       DeviceType device_type, DeviceIndex device_index)
    : sizes_(sizes),
      dim_order_(dim_order),
      strides_(strides),
      data_(data),
      dim_(dim),
      numel_(compute_numel(sizes, dim)),
      numel_bound_(static_cast<size_t>(numel_)),
      type_(type),
      shape_dynamism_(dynamism),
      device_(device_type, device_index) {
  ET_CHECK_MSG(isValid(type_), "Unknown scalar type %d", static_cast<int>(type_));
  ET_CHECK_MSG(dim_ >= 0, "Rank %zd is negative", dim_);
}

size_t TensorImpl::nbytes() const { return static_cast<size_t>(numel_) * elementSize(type_); }

ssize_t TensorImpl::element_size() const { return static_cast<ssize_t>(elementSize(type_)); }

Error TensorImpl::internal_resize_contiguous(ArrayRef<SizesType> new_sizes) {
  const auto rank = static_cast<size_t>(dim_);
  if (new_sizes.size() != rank) {
    return PILOTLIGHT_REFUSE(Error::NotSupported, "Cannot change the rank from %zu to %zu", rank,
                             new_sizes.size());
  }
  // A static tensor's shape lies in the .pte, so it is compared and never written.
  if (shape_dynamism_ == TensorShapeDynamism::STATIC) {
    if (!std::equal(sizes_, sizes_ + rank, new_sizes.begin())) {
      return PILOTLIGHT_REFUSE(
          Error::NotSupported, "Cannot resize a static tensor of shape %s to %s",
          tensor_shape_to_c_string(Span<const SizesType>(sizes_, rank)).data(),
          tensor_shape_to_c_string(Span<const SizesType>(new_sizes.data(), rank)).data());
    }
    return Error::Ok;
  }
  const Result<ssize_t> numel = safe_numel(new_sizes.data(), dim_);
  if (!numel.ok()) return numel.error();
  if (static_cast<size_t>(*numel) > numel_bound_) {
    return PILOTLIGHT_REFUSE(Error::NotSupported,
                             "Cannot resize a tensor of at most %zu elements to %zd", numel_bound_,
                             *numel);
  }
  if (*numel == 0 && !StridesFit(new_sizes)) {
    return PILOTLIGHT_REFUSE(Error::NotSupported, "Cannot resize: strides do not fit 32 bits");
  }
  if (strides_ != nullptr && dim_order_ != nullptr) {
    ET_CHECK_OK_OR_RETURN_ERROR(dim_order_to_stride(new_sizes.data(), dim_order_, rank, strides_));
  }
  numel_ = *numel;
  std::copy(new_sizes.begin(), new_sizes.end(), sizes_);
  return Error::Ok;
}

}  // namespace etensor
}  // namespace runtime
}  // namespace executorch
