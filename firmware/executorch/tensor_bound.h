// SPDX-License-Identifier: Apache-2.0
//
// How many elements a tensor may grow to. The header's TensorImpl takes this bound from its first
// shape, but lent memory may be smaller. Private to firmware/executorch.
#pragma once

#include <cstddef>

#include <executorch/runtime/core/exec_aten/exec_aten.h>

namespace executorch {
namespace runtime {
namespace internal {

// TensorImpl declares this name as a friend that may resize it (portable_type/tensor_impl.h).
class TensorResizerFriend final {
 public:
  static Error Resize(etensor::TensorImpl* impl, ArrayRef<int32_t> new_sizes) {
    return impl->internal_resize_contiguous(new_sizes);
  }
  static std::size_t BoundOf(const etensor::Tensor& tensor) {
    return tensor.unsafeGetTensorImpl()->numel_bound_;
  }
  static void SetBound(const etensor::Tensor& tensor, std::size_t elements) {
    tensor.unsafeGetTensorImpl()->numel_bound_ = elements;
  }
};

}  // namespace internal
}  // namespace runtime
}  // namespace executorch

namespace executorch_flatbuffer {
struct Tensor;
}  // namespace executorch_flatbuffer

namespace pilotlight::executorch_runtime {

// The number of elements of the shape in the file, which is the tensor's largest shape.
std::size_t LargestNumel(const executorch_flatbuffer::Tensor& stored);

// Gives `own` the shape and the memory of `given`, which has the same dtype. `own` cannot grow
// beyond that memory. Even after an error, the shape of `own` is never larger than its memory.
executorch::runtime::Error LendTensor(const executorch::runtime::etensor::Tensor& own,
                                      const executorch::runtime::etensor::Tensor& given,
                                      std::size_t largest_numel);

// The same with a buffer of `size_bytes` bytes. The shape stays as it is.
executorch::runtime::Error LendBuffer(const executorch::runtime::etensor::Tensor& own, void* buffer,
                                      std::size_t size_bytes, std::size_t largest_numel);

// Leaves the tensor without memory, so that it cannot grow.
void TakeBack(const executorch::runtime::etensor::Tensor& tensor);

}  // namespace pilotlight::executorch_runtime
