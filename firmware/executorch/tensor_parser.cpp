// SPDX-License-Identifier: Apache-2.0
#include "tensor_parser.h"

#include <cstdint>
#include <cstring>
#include <new>

#include <executorch/runtime/core/exec_aten/util/dim_order_util.h>
#include <executorch/runtime/executor/program.h>

#include "program_schema.h"
#include "refuse.h"
#include "tensor_extent.h"
#include "tensor_memory.h"

namespace executorch {
namespace runtime {
namespace deserialization {
namespace {

using pilotlight::executorch_runtime::CountOf;
using pilotlight::executorch_runtime::ExtentOfTensor;
using pilotlight::executorch_runtime::IsExternal;
using pilotlight::executorch_runtime::IsExternalConstant;
using pilotlight::executorch_runtime::TensorExtent;

// Memory 0 is reserved for constants, so planned buffers are numbered from 1.
constexpr std::uint32_t kFirstPlannedMemory = 1;

// Refuses well-formed tensors that this runtime does not support.
Error CheckFeatures(const executorch_flatbuffer::Tensor& tensor) {
  if (tensor.storage_offset() != 0) {
    return PILOTLIGHT_REFUSE(Error::NotSupported, "Tensor with storage offset %d",
                             static_cast<int>(tensor.storage_offset()));
  }
  const auto dynamism = static_cast<int>(tensor.shape_dynamism());
  if (dynamism != static_cast<int>(TensorShapeDynamism::STATIC) &&
      dynamism != static_cast<int>(TensorShapeDynamism::DYNAMIC_BOUND)) {
    return PILOTLIGHT_REFUSE(Error::NotSupported, "Tensor with shape dynamism %d", dynamism);
  }
  return Error::Ok;
}

// The .pte and the header use the same numbers for device types.
etensor::Device DeviceOf(const executorch_flatbuffer::Tensor& tensor) {
  const auto* extra = tensor.extra_tensor_info();
  if (extra == nullptr) return etensor::Device(etensor::DeviceType::CPU);
  return etensor::Device(static_cast<etensor::DeviceType>(extra->device_type()),
                         extra->device_index());
}

// The file may contain bytes that are invalid for a C++ bool; reading such a byte as one is
// undefined.
Error CheckBooleans(const executorch_flatbuffer::Tensor& tensor, const void* data,
                    std::size_t count) {
  const bool from_file = tensor.data_buffer_idx() != 0 || IsExternal(tensor);
  if (!from_file || tensor.scalar_type() != executorch_flatbuffer::ScalarType::BOOL) {
    return Error::Ok;
  }
  const auto* bytes = static_cast<const std::uint8_t*>(data);
  for (std::size_t i = 0; i < count; ++i) {
    if (bytes[i] > 1) {
      return PILOTLIGHT_REFUSE(Error::InvalidProgram, "Boolean %zu is byte %u, expected 0 or 1", i,
                               static_cast<unsigned>(bytes[i]));
    }
  }
  return Error::Ok;
}

}  // namespace

Error CheckLayout(const executorch_flatbuffer::Tensor& tensor, const TensorLayout& layout) {
  const bool same_type =
      static_cast<int>(layout.scalar_type()) == static_cast<int>(tensor.scalar_type());
  const std::size_t rank = CountOf(tensor.sizes());
  if (!same_type || layout.sizes().size() != rank || layout.dim_order().size() != rank ||
      CountOf(tensor.dim_order()) != rank) {
    return PILOTLIGHT_REFUSE(Error::InvalidExternalData, "External data differs in type or rank");
  }
  for (std::size_t i = 0; i < rank; ++i) {
    const auto at = static_cast<flatbuffers::uoffset_t>(i);
    if (layout.sizes()[i] != tensor.sizes()->Get(at) ||
        layout.dim_order()[i] != tensor.dim_order()->Get(at)) {
      return PILOTLIGHT_REFUSE(Error::InvalidExternalData, "External data differs in dimension %zu",
                               i);
    }
  }
  return Error::Ok;
}

Result<etensor::Tensor> TensorParser::Parse(const executorch_flatbuffer::Tensor& tensor) {
  using etensor::TensorImpl;
  ET_CHECK_OK_OR_RETURN_ERROR(CheckFeatures(tensor));
  const auto scalar_type = static_cast<etensor::ScalarType>(tensor.scalar_type());
  const std::size_t rank = tensor.sizes()->size();
  const Result<TensorExtent> extent = ExtentOfTensor(tensor.sizes()->data(), rank, scalar_type);
  if (!extent.ok()) return extent.error();
  const etensor::Device device = DeviceOf(tensor);

  // TensorImpl takes non-const pointers, but it writes only to a tensor that may be resized.
  auto* sizes = const_cast<TensorImpl::SizesType*>(tensor.sizes()->data());
  auto* dim_order = const_cast<TensorImpl::DimOrderType*>(tensor.dim_order()->data());

  MemoryAllocator* pool = memory_->method_allocator();
  auto* impl = pool->allocateInstance<TensorImpl>();
  auto* strides = pool->allocateList<TensorImpl::StridesType>(rank);
  if (impl == nullptr || strides == nullptr) return Error::MemoryAllocationFailed;
  const auto dynamism = static_cast<TensorShapeDynamism>(tensor.shape_dynamism());
  if (dynamism != TensorShapeDynamism::STATIC) {
    sizes = pool->allocateList<TensorImpl::SizesType>(rank);
    if (sizes == nullptr) return Error::MemoryAllocationFailed;
    std::memcpy(sizes, tensor.sizes()->data(), rank * sizeof(*sizes));
  }
  dim_order_to_stride_nocheck(sizes, dim_order, rank, strides);
  const Result<void*> data = DataOf(tensor, extent->size_bytes);
  if (!data.ok()) return data.error();
  ET_CHECK_OK_OR_RETURN_ERROR(CheckBooleans(tensor, *data, extent->size_bytes));
  new (impl) TensorImpl(scalar_type, static_cast<ssize_t>(rank), sizes, *data, dim_order, strides,
                        dynamism, device.type(), device.index());
  return etensor::Tensor(impl);
}

Result<void*> TensorParser::DataOf(const executorch_flatbuffer::Tensor& tensor,
                                   std::size_t size_bytes) {
  if (IsExternal(tensor)) return ExternalData(tensor, size_bytes);
  const std::uint32_t index = tensor.data_buffer_idx();
  if (tensor.allocation_info() == nullptr) {
    // Neither planned nor constant: the caller or an instruction lends the memory.
    if (index == 0) return static_cast<void*>(nullptr);
    const Result<const void*> constant = program_->get_constant_buffer_data(index, size_bytes);
    if (!constant.ok()) return constant.error();
    return const_cast<void*>(*constant);
  }
  const Result<void*> planned = PlannedMemory(tensor, size_bytes);
  if (!planned.ok() || index == 0) {
    if (!planned.ok()) return planned.error();
    return *planned;
  }
  const auto* extra = tensor.extra_tensor_info();
  const auto list =
      extra == nullptr ? 0 : static_cast<std::size_t>(extra->mutable_data_segments_idx());
  ET_CHECK_OK_OR_RETURN_ERROR(
      program_->load_mutable_subsegment_into(list, index, size_bytes, *planned));
  return *planned;
}

Result<void*> TensorParser::PlannedMemory(const executorch_flatbuffer::Tensor& tensor,
                                          std::size_t size_bytes) {
  const auto* allocation = tensor.allocation_info();
  HierarchicalAllocator* planned_memory = memory_->planned_memory();
  const auto offset =
      static_cast<std::size_t>(allocation->memory_offset_low() |
                               static_cast<std::uint64_t>(allocation->memory_offset_high()) << 32);
  if (planned_memory == nullptr) {
    return PILOTLIGHT_REFUSE(Error::InvalidState,
                             "The method needs planned memory, but was given none");
  }
  Result<void*> address = planned_memory->get_offset_address(
      allocation->memory_id() - kFirstPlannedMemory, offset, size_bytes);
  if (!address.ok()) {
    return PILOTLIGHT_REFUSE(address.error(), "Planned memory %u does not hold %zu bytes at %zu",
                             static_cast<unsigned>(allocation->memory_id()), size_bytes, offset);
  }
  return address;
}

Result<void*> TensorParser::ExternalData(const executorch_flatbuffer::Tensor& tensor,
                                         std::size_t size_bytes) {
  const auto* name = tensor.extra_tensor_info()->fully_qualified_name();
  if (IsExternalConstant(tensor)) {
    for (const NamedData& constant : external_constants_) {
      if (std::strcmp(constant.key, name->c_str()) != 0) continue;
      if (constant.buffer.size() < size_bytes) break;
      return const_cast<void*>(constant.buffer.data());
    }
    return PILOTLIGHT_REFUSE(Error::InvalidExternalData, "No data for external constant %s",
                             name->c_str());
  }
  if (named_data_ == nullptr) {
    return PILOTLIGHT_REFUSE(Error::InvalidExternalData, "No data map for external tensor %s",
                             name->c_str());
  }
  const Result<const TensorLayout> layout = named_data_->get_tensor_layout(name->c_str());
  if (!layout.ok()) return layout.error();
  ET_CHECK_OK_OR_RETURN_ERROR(CheckLayout(tensor, *layout));
  const Result<void*> planned = PlannedMemory(tensor, size_bytes);
  if (!planned.ok()) return planned.error();
  ET_CHECK_OK_OR_RETURN_ERROR(named_data_->load_data_into(name->c_str(), *planned, size_bytes));
  return *planned;
}

}  // namespace deserialization
}  // namespace runtime
}  // namespace executorch
