// SPDX-License-Identifier: Apache-2.0
//
// Functions with which Method changes the data pointers and shapes of its tensors.
#include <cstddef>
#include <cstring>

#include <executorch/runtime/core/exec_aten/util/tensor_util.h>

#include "refuse.h"
#include "tensor_bound.h"

namespace executorch {
namespace runtime {
namespace internal {

Error resize_tensor_impl(etensor::TensorImpl* impl, ArrayRef<int32_t> new_sizes) {
  return TensorResizerFriend::Resize(impl, new_sizes);
}

Error share_tensor_data(const etensor::Tensor& t_dst, const etensor::Tensor& t_src) {
  if (t_dst.nbytes() != t_src.nbytes()) {
    return PILOTLIGHT_REFUSE(Error::InvalidArgument, "Cannot share %zu bytes with a tensor of %zu",
                             t_src.nbytes(), t_dst.nbytes());
  }
  if (t_src.mutable_data_ptr() == nullptr && t_src.nbytes() != 0) {
    return PILOTLIGHT_REFUSE(Error::InvalidArgument, "The tensor to share has no data");
  }
  t_dst.unsafeGetTensorImpl()->set_data(t_src.mutable_data_ptr());
  return Error::Ok;
}

Error copy_tensor_data(const etensor::Tensor& t_dst, const etensor::Tensor& t_src) {
  if (t_dst.nbytes() != t_src.nbytes()) {
    return PILOTLIGHT_REFUSE(Error::InvalidArgument, "Cannot copy %zu bytes to a tensor of %zu",
                             t_src.nbytes(), t_dst.nbytes());
  }
  if (!t_dst.device().is_cpu() || !t_src.device().is_cpu()) {
    return PILOTLIGHT_REFUSE(Error::InvalidArgument, "Cannot copy between devices");
  }
  // An empty source is not an error; the target keeps its content.
  if (t_dst.nbytes() == 0 || t_src.const_data_ptr() == nullptr) return Error::Ok;
  if (t_dst.mutable_data_ptr() == nullptr) {
    return PILOTLIGHT_REFUSE(Error::InvalidArgument, "Cannot copy to a tensor without data");
  }
  // The caller may have filled the planned buffer itself.
  if (t_dst.mutable_data_ptr() != t_src.const_data_ptr()) {
    std::memcpy(t_dst.mutable_data_ptr(), t_src.const_data_ptr(), t_src.nbytes());
  }
  return Error::Ok;
}

Error set_tensor_data(const etensor::Tensor& t, void* buffer, size_t buffer_size) {
  if (buffer_size < t.nbytes()) {
    return PILOTLIGHT_REFUSE(Error::InvalidArgument, "Buffer of %zu bytes for a tensor of %zu",
                             buffer_size, t.nbytes());
  }
  t.unsafeGetTensorImpl()->set_data(buffer);
  return Error::Ok;
}

void reset_data_ptr(const etensor::Tensor& tensor) {
  tensor.unsafeGetTensorImpl()->set_data(nullptr);
}

}  // namespace internal
}  // namespace runtime
}  // namespace executorch
