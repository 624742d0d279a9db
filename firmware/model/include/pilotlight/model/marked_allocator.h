// SPDX-License-Identifier: Apache-2.0
//
// The allocator of a model's method pool and temp pool.
#pragma once

#include <cstddef>

#include <executorch/runtime/core/memory_allocator.h>

namespace pilotlight::model {

// A bump allocator with a high-water mark. The runtime calls `reset()` after every
// instruction; this does not clear the mark. While the allocator is sealed,
// allocate() returns null.
class MarkedAllocator final : public executorch::runtime::MemoryAllocator {
 public:
  using MemoryAllocator::MemoryAllocator;
  void* allocate(std::size_t size, std::size_t alignment = kDefaultAlignment) override;
  std::size_t high_water_bytes() const { return high_water_bytes_; }
  // Size of the last request that was refused since forget_refusal(); 0: none was.
  std::size_t refused_bytes() const { return refused_bytes_; }
  void set_sealed(bool sealed) { sealed_ = sealed; }
  bool refused_when_sealed() const { return refused_when_sealed_; }
  void forget_refusal() { refused_bytes_ = 0; }

 private:
  bool sealed_ = false;
  bool refused_when_sealed_ = false;
  std::size_t high_water_bytes_ = 0;
  std::size_t refused_bytes_ = 0;
};

}  // namespace pilotlight::model
