// SPDX-License-Identifier: Apache-2.0
//
// Allocators for memory that the CPU cannot address. No supported board has such memory. The
// registry exists because public headers declare it.
#include <cstddef>

#include <executorch/runtime/core/device_allocator.h>
#include <executorch/runtime/core/device_memory_buffer.h>

#include "refuse.h"

namespace executorch {
namespace runtime {

DeviceAllocatorRegistry& DeviceAllocatorRegistry::instance() {
  static_assert(std::is_trivially_destructible<DeviceAllocatorRegistry>::value,
                "a static without a guard needs no destructor");
  static DeviceAllocatorRegistry registry;
  return registry;
}

void DeviceAllocatorRegistry::register_allocator(DeviceAllocator* alloc) {
  ET_CHECK_MSG(alloc != nullptr, "No allocator to register");
  const auto index = static_cast<size_t>(alloc->device_type());
  ET_CHECK_MSG(index < etensor::kNumDeviceTypes, "Unknown device type %zu", index);
  ET_CHECK_MSG(allocators_[index] == nullptr, "Device type %zu has an allocator already", index);
  allocators_[index] = alloc;
}

DeviceAllocator* DeviceAllocatorRegistry::get_allocator(etensor::DeviceType type) {
  const auto index = static_cast<size_t>(type);
  return index < etensor::kNumDeviceTypes ? allocators_[index] : nullptr;
}

void register_device_allocator(DeviceAllocator* alloc) {
  DeviceAllocatorRegistry::instance().register_allocator(alloc);
}

DeviceAllocator* get_device_allocator(etensor::DeviceType type) {
  return DeviceAllocatorRegistry::instance().get_allocator(type);
}

Result<DeviceMemoryBuffer> DeviceMemoryBuffer::create(size_t size, etensor::DeviceType type,
                                                      etensor::DeviceIndex index,
                                                      size_t alignment) {
  DeviceAllocator* allocator = get_device_allocator(type);
  if (allocator == nullptr) {
    return PILOTLIGHT_REFUSE(Error::NotFound, "No allocator for device type %d",
                             static_cast<int>(type));
  }
  Result<void*> memory = allocator->allocate(size, index, alignment);
  if (!memory.ok()) return memory.error();
  return DeviceMemoryBuffer(*memory, size, allocator, index);
}

}  // namespace runtime
}  // namespace executorch
