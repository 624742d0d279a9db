// SPDX-License-Identifier: Apache-2.0
#include "pilotlight/model/marked_allocator.h"

#include <cstdint>

namespace pilotlight::model {

void* MarkedAllocator::allocate(std::size_t size, std::size_t alignment) {
  // Checked here first, because the base class would log the refusal, and the caller logs it too.
  const auto next = reinterpret_cast<std::uintptr_t>(base_address()) + used_size();
  const std::size_t padding = (~next + 1) & (alignment - 1);
  const bool fits = padding <= free_size() && size <= free_size() - padding;
  void* const memory = sealed_ || !fits ? nullptr : MemoryAllocator::allocate(size, alignment);
  if (memory == nullptr) {
    refused_bytes_ = size;
    refused_when_sealed_ = sealed_;
  }
  if (used_size() > high_water_bytes_) high_water_bytes_ = used_size();
  return memory;
}

}  // namespace pilotlight::model
