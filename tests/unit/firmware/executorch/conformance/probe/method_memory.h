// SPDX-License-Identifier: Apache-2.0
//
// The memory into which a method is loaded, of the right size or of a wrong one.
#pragma once

#include <executorch/runtime/core/hierarchical_allocator.h>
#include <executorch/runtime/executor/memory_manager.h>
#include <executorch/runtime/executor/method_meta.h>

#include "arena.h"

namespace conformance {

constexpr std::size_t kAmplePoolBytes = 1u << 20;
constexpr std::size_t kNoBuffer = static_cast<std::size_t>(-1);

struct MemorySizes {
  std::size_t pool_bytes = kAmplePoolBytes;
  std::size_t pool_offset_bytes = 0;
  // Enough for one call of a tracing kernel, so the runtime must reset it after each call.
  std::size_t temp_bytes = 40;
  bool has_temp = true;
  // The planned buffer `short_buffer` has only `short_bytes` bytes. Buffers from `buffer_limit` on
  // do not exist.
  std::size_t short_buffer = kNoBuffer;
  std::size_t short_bytes = 0;
  std::size_t buffer_limit = kNoBuffer;
};

class MethodMemory {
 public:
  MethodMemory(Arena& arena, const executorch::runtime::MethodMeta& meta, const MemorySizes& sizes);
  MethodMemory(const MethodMemory&) = delete;

  executorch::runtime::MemoryManager& manager() { return manager_; }
  std::size_t used_pool_bytes() const { return pool_.used_size(); }

 private:
  executorch::runtime::MemoryAllocator pool_;
  executorch::runtime::MemoryAllocator temp_;
  executorch::runtime::HierarchicalAllocator planned_;
  executorch::runtime::MemoryManager manager_;
};

}  // namespace conformance
