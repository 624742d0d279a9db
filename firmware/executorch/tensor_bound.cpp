// SPDX-License-Identifier: Apache-2.0
#include "tensor_bound.h"

#include <algorithm>

#include <executorch/runtime/core/exec_aten/util/tensor_util.h>

#include "program_schema.h"

namespace pilotlight::executorch_runtime {

using executorch::runtime::elementSize;
using executorch::runtime::Error;
using executorch::runtime::etensor::Tensor;
using executorch::runtime::internal::TensorResizerFriend;

std::size_t LargestNumel(const executorch_flatbuffer::Tensor& stored) {
  std::size_t numel = 1;
  for (const std::int32_t size : *stored.sizes()) numel *= static_cast<std::size_t>(size);
  return numel;
}

void TakeBack(const Tensor& tensor) {
  executorch::runtime::internal::reset_data_ptr(tensor);
  TensorResizerFriend::SetBound(tensor, 0);
}

Error LendTensor(const Tensor& own, const Tensor& given, std::size_t largest_numel) {
  const std::size_t before = TensorResizerFriend::BoundOf(own);
  TensorResizerFriend::SetBound(own, largest_numel);
  Error error = executorch::runtime::resize_tensor(own, given.sizes());
  if (error == Error::Ok) error = executorch::runtime::internal::share_tensor_data(own, given);
  const auto lent = static_cast<std::size_t>(given.numel());
  TensorResizerFriend::SetBound(own, error == Error::Ok ? lent : before);
  // The tensor's earlier memory may be too small for its new shape.
  if (error != Error::Ok && static_cast<std::size_t>(own.numel()) > before) TakeBack(own);
  return error;
}

Error LendBuffer(const Tensor& own, void* buffer, std::size_t size_bytes,
                 std::size_t largest_numel) {
  const Error error = executorch::runtime::internal::set_tensor_data(own, buffer, size_bytes);
  if (error != Error::Ok) return error;
  const std::size_t lent = buffer == nullptr ? 0 : size_bytes / elementSize(own.scalar_type());
  TensorResizerFriend::SetBound(own, std::min(largest_numel, lent));
  return Error::Ok;
}

}  // namespace pilotlight::executorch_runtime
