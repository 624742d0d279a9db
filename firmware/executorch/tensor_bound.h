// SPDX-License-Identifier: Apache-2.0
//
// How many elements a tensor may grow to. The header's TensorImpl takes them from its first
// shape; memory that somebody lends may have fewer. Private to firmware/executorch.
#pragma once

#include <cstddef>

#include <executorch/runtime/core/exec_aten/exec_aten.h>

namespace executorch {
namespace runtime {
namespace internal {

// TensorImpl lets only this name resize it (portable_type/tensor_impl.h).
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

// The elements of the shape in the file, which is the largest that the tensor may have.
std::size_t LargestNumel(const executorch_flatbuffer::Tensor& stored);

// Gives `own` the shape and the memory of `given`, of the same dtype, and lets it grow no
// further than that. `own` never has a shape that is larger than its memory, whatever fails.
executorch::runtime::Error LendTensor(const executorch::runtime::etensor::Tensor& own,
                                      const executorch::runtime::etensor::Tensor& given,
                                      std::size_t largest_numel);

// Likewise of `size_bytes` bytes; the shape stays as it is.
executorch::runtime::Error LendBuffer(const executorch::runtime::etensor::Tensor& own, void* buffer,
                                      std::size_t size_bytes, std::size_t largest_numel);

// It has no memory any more, and cannot grow without.
void TakeBack(const executorch::runtime::etensor::Tensor& tensor);

}  // namespace pilotlight::executorch_runtime
