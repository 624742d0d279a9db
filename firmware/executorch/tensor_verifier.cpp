// SPDX-License-Identifier: Apache-2.0
#include "tensor_verifier.h"

#include <cstddef>
#include <cstdint>

#include <c10/util/safe_numerics.h>
#include <executorch/runtime/core/exec_aten/util/dim_order_util.h>
#include <executorch/runtime/core/exec_aten/util/tensor_dimension_limit.h>

#include "tensor_extent.h"

namespace pilotlight::executorch_runtime {
namespace {

using executorch::runtime::Error;
using executorch::runtime::kTensorDimensionLimit;
using executorch::runtime::Result;

// Strides have 32 bits. A dimension of size 0 does not change the product.
Error VerifyStrides(const executorch_flatbuffer::Tensor& tensor, const Place& place) {
  std::int32_t stride = 1;
  for (std::size_t i = CountOf(tensor.dim_order()); i > 1; --i) {
    const auto dimension = tensor.dim_order()->Get(static_cast<flatbuffers::uoffset_t>(i - 1));
    const std::int32_t size = tensor.sizes()->Get(dimension);
    if (size != 0 && c10::mul_overflows(stride, size, &stride)) {
      return PILOTLIGHT_REFUSE_AT(place, Error::InvalidProgram, "strides do not fit 32 bits");
    }
  }
  return Error::Ok;
}

Error VerifyShape(const executorch_flatbuffer::Tensor& tensor, const Place& place) {
  const std::size_t rank = CountOf(tensor.sizes());
  if (tensor.sizes() == nullptr || tensor.dim_order() == nullptr ||
      tensor.dim_order()->size() != rank) {
    return PILOTLIGHT_REFUSE_AT(place, Error::InvalidProgram,
                                "%zu sizes, but %zu dimensions in the dim order", rank,
                                CountOf(tensor.dim_order()));
  }
  if (rank > kTensorDimensionLimit) {
    return PILOTLIGHT_REFUSE_AT(place, Error::InvalidProgram, "rank %zu, at most %zu", rank,
                                kTensorDimensionLimit);
  }
  if (!executorch::runtime::validate_dim_order(tensor.dim_order()->data(), rank)) {
    return PILOTLIGHT_REFUSE_AT(place, Error::Internal, "dim order is not a permutation");
  }
  return VerifyStrides(tensor, place);
}

// Kernels read elements in place, with instructions that need alignment. The widest of these
// instructions reads eight bytes at once.
bool IsAligned(std::uint64_t offset, std::size_t element_size) {
  constexpr std::size_t kWidest = 8;
  return offset % (element_size < kWidest ? element_size : kWidest) == 0;
}

Error VerifyAllocation(const executorch_flatbuffer::AllocationDetails& allocation,
                       const flatbuffers::Vector<std::int64_t>& buffer_sizes,
                       const TensorExtent& extent, const Place& place) {
  const std::uint32_t memory = allocation.memory_id();
  if (memory == 0) {
    return PILOTLIGHT_REFUSE_AT(place, Error::InvalidArgument,
                                "planned in memory 0, which is for constants");
  }
  if (memory >= buffer_sizes.size()) {
    return PILOTLIGHT_REFUSE_AT(place, Error::InvalidArgument, "planned in memory %u of %u",
                                static_cast<unsigned>(memory),
                                static_cast<unsigned>(buffer_sizes.size()));
  }
  const std::uint64_t offset = allocation.memory_offset_low() |
                               static_cast<std::uint64_t>(allocation.memory_offset_high()) << 32;
  const auto size = static_cast<std::uint64_t>(buffer_sizes.Get(memory));
  if (offset > size || extent.size_bytes > size - offset) {
    return PILOTLIGHT_REFUSE_AT(
        place, Error::MemoryAllocationFailed, "%zu bytes at %llu of memory %u, which has %llu",
        extent.size_bytes, static_cast<unsigned long long>(offset), static_cast<unsigned>(memory),
        static_cast<unsigned long long>(size));
  }
  if (!IsAligned(offset, extent.element_size)) {
    return PILOTLIGHT_REFUSE_AT(place, Error::InvalidProgram, "misaligned in planned memory");
  }
  return Error::Ok;
}

// Verifies the data of a constant, or the initial state of a buffer that the method writes.
Error VerifyData(const executorch_flatbuffer::SubsegmentOffsets* list, std::uint32_t index,
                 const executorch_flatbuffer::Program& program, Bounds& bounds,
                 const TensorExtent& extent, bool in_place, const Place& place) {
  const std::size_t count = list == nullptr ? 0 : CountOf(list->offsets());
  if (index >= count) {
    const Error error = !in_place   ? Error::NotFound
                        : count > 1 ? Error::InvalidArgument
                                    : Error::InvalidProgram;
    return PILOTLIGHT_REFUSE_AT(place, error, "data %u of %zu", static_cast<unsigned>(index),
                                count);
  }
  // VerifyProgram() has compared the segment and the offset with the file.
  const auto* segment = TableAt(program.segments(), list->segment_index());
  const std::uint64_t offset = list->offsets()->Get(index);
  if (offset > segment->size() || extent.size_bytes > segment->size() - offset) {
    return PILOTLIGHT_REFUSE_AT(place, Error::InvalidArgument,
                                "data %u: %zu bytes reach beyond the segment",
                                static_cast<unsigned>(index), extent.size_bytes);
  }
  // A loader may return a segment in place, or in memory of its own. The data must be aligned in
  // both.
  if (in_place &&
      (!IsAligned(offset, extent.element_size) ||
       !IsAligned(bounds.segments_at + segment->offset() + offset, extent.element_size))) {
    return PILOTLIGHT_REFUSE_AT(place, Error::InvalidProgram, "data %u is misaligned",
                                static_cast<unsigned>(index));
  }
  return Error::Ok;
}

}  // namespace

Error VerifyTensor(const executorch_flatbuffer::Tensor& tensor,
                   const executorch_flatbuffer::ExecutionPlan& plan,
                   const executorch_flatbuffer::Program& program, Bounds& bounds,
                   const Place& place) {
  ET_CHECK_OK_OR_RETURN_ERROR(VerifyShape(tensor, place));
  const Result<TensorExtent> extent =
      ExtentOfTensor(tensor.sizes()->data(), tensor.sizes()->size(),
                     static_cast<executorch::aten::ScalarType>(tensor.scalar_type()), place);
  if (!extent.ok()) return extent.error();

  const auto* extra = tensor.extra_tensor_info();
  bool external = false;
  if (extra != nullptr) {
    const auto device = static_cast<int>(extra->device_type());
    if (device < 0 ||
        static_cast<std::size_t>(device) >= executorch::runtime::etensor::kNumDeviceTypes) {
      return PILOTLIGHT_REFUSE_AT(place, Error::InvalidProgram, "unknown device type %d", device);
    }
    external = extra->location() == executorch_flatbuffer::TensorDataLocation::EXTERNAL;
    if (!external && extra->location() != executorch_flatbuffer::TensorDataLocation::SEGMENT) {
      return PILOTLIGHT_REFUSE_AT(place, Error::InvalidProgram, "data at unknown location %d",
                                  static_cast<int>(extra->location()));
    }
    if (external && extra->fully_qualified_name() == nullptr) {
      return PILOTLIGHT_REFUSE_AT(place, Error::InvalidExternalData, "external, without a name");
    }
  }
  const auto* allocation = tensor.allocation_info();
  if (allocation != nullptr) {
    ET_CHECK_OK_OR_RETURN_ERROR(
        VerifyAllocation(*allocation, *plan.non_const_buffer_sizes(), *extent, place));
  }
  const std::uint32_t data = tensor.data_buffer_idx();
  if (external || data == 0) return Error::Ok;
  if (allocation == nullptr) {
    return VerifyData(program.constant_segment(), data, program, bounds, *extent, true, place);
  }
  std::size_t list = 0;
  if (extra != nullptr && !FitsSize(extra->mutable_data_segments_idx(), &list)) list = SIZE_MAX;
  return VerifyData(TableAt(program.mutable_data_segments(), list), data, program, bounds, *extent,
                    false, place);
}

}  // namespace pilotlight::executorch_runtime
