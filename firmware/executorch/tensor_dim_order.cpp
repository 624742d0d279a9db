// SPDX-License-Identifier: Apache-2.0
//
// Queries about a tensor's dim order, the order of its dimensions in memory.
#include <algorithm>
#include <cstddef>

#include <executorch/runtime/core/exec_aten/util/dim_order_util.h>
#include <executorch/runtime/core/exec_aten/util/tensor_util.h>

#include "refuse.h"

namespace executorch {
namespace runtime {
namespace {

bool IsDefault(const etensor::Tensor& t) {
  return is_contiguous_dim_order(t.dim_order().data(), t.dim_order().size());
}

bool IsChannelsLast(const etensor::Tensor& t) {
  return is_channels_last_dim_order(t.dim_order().data(), t.dim_order().size());
}

bool SameOrder(const etensor::Tensor& a, const etensor::Tensor& b) {
  const auto a_order = a.dim_order();
  const auto b_order = b.dim_order();
  return a_order.size() == b_order.size() &&
         std::equal(a_order.begin(), a_order.end(), b_order.begin());
}

}  // namespace

Error get_dim_order(const etensor::Tensor& tensor, etensor::TensorImpl::DimOrderType* out_dim_order,
                    size_t out_dim_order_size) {
  const auto order = tensor.dim_order();
  if (out_dim_order_size != order.size()) {
    return PILOTLIGHT_REFUSE(Error::InvalidArgument, "Room for %zu dimensions, the tensor has %zu",
                             out_dim_order_size, order.size());
  }
  std::copy(order.begin(), order.end(), out_dim_order);
  return Error::Ok;
}

bool tensor_has_valid_dim_order(etensor::Tensor t) {
  if (!validate_dim_order(t.dim_order().data(), t.dim_order().size())) {
    return PILOTLIGHT_REFUSE(Error::InvalidArgument, "Dim order is not a permutation") == Error::Ok;
  }
  return true;
}

bool tensor_is_default_or_channels_last_dim_order(etensor::Tensor t) {
  if (!IsDefault(t) && !IsChannelsLast(t)) {
    return PILOTLIGHT_REFUSE(Error::InvalidArgument,
                             "Dim order is neither the default nor channels last") == Error::Ok;
  }
  return true;
}

bool tensor_is_default_dim_order(etensor::Tensor t) {
  if (!IsDefault(t)) {
    return PILOTLIGHT_REFUSE(Error::InvalidArgument, "Dim order is not the default") == Error::Ok;
  }
  return true;
}

bool tensor_is_channels_last_dim_order(etensor::Tensor t) {
  if (!IsChannelsLast(t)) {
    return PILOTLIGHT_REFUSE(Error::InvalidArgument, "Dim order is not channels last") == Error::Ok;
  }
  return true;
}

bool tensors_have_same_dim_order(const ArrayRef<etensor::Tensor> tensor_list) {
  if (tensor_list.size() < 2) return true;
  bool all_default = true;
  bool all_channels_last = true;
  bool all_as_first = true;
  for (const etensor::Tensor& t : tensor_list) {
    all_default = all_default && IsDefault(t);
    all_channels_last = all_channels_last && IsChannelsLast(t);
    all_as_first = all_as_first && SameOrder(tensor_list[0], t);
  }
  if (!all_default && !all_channels_last && !all_as_first) {
    return PILOTLIGHT_REFUSE(Error::InvalidArgument, "%zu tensors differ in dim order",
                             tensor_list.size()) == Error::Ok;
  }
  return true;
}

}  // namespace runtime
}  // namespace executorch
