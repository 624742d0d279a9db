// SPDX-License-Identifier: Apache-2.0
#include "method_memory.h"

#include <algorithm>

namespace conformance {
namespace {

using executorch::runtime::MemoryAllocator;
using executorch::runtime::MethodMeta;
using executorch::runtime::Span;

// A damaged program may ask for any size.
constexpr std::size_t kLargestBufferBytes = 1u << 22;

MemoryAllocator Allocator(Arena& arena, std::size_t size_bytes, std::size_t offset_bytes) {
  return MemoryAllocator(static_cast<std::uint32_t>(size_bytes),
                         arena.Bytes(size_bytes, offset_bytes).data());
}

Span<Span<std::uint8_t>> PlannedBuffers(Arena& arena, const MethodMeta& meta,
                                        const MemorySizes& sizes) {
  const std::size_t count = std::min(meta.num_memory_planned_buffers(), sizes.buffer_limit);
  const auto buffers = arena.List<Span<std::uint8_t>>(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto wanted = meta.memory_planned_buffer_size(i);
    auto bytes = wanted.ok() ? static_cast<std::size_t>(*wanted) : 0;
    if (bytes > kLargestBufferBytes) bytes = 0;
    if (i == sizes.short_buffer) bytes = sizes.short_bytes;
    new (&buffers[i]) Span<std::uint8_t>(arena.Bytes(bytes));
  }
  return buffers;
}

}  // namespace

MethodMemory::MethodMemory(Arena& arena, const MethodMeta& meta, const MemorySizes& sizes)
    : pool_(Allocator(arena, sizes.pool_bytes, sizes.pool_offset_bytes)),
      temp_(Allocator(arena, sizes.temp_bytes, 0)),
      planned_(PlannedBuffers(arena, meta, sizes)),
      manager_(&pool_, &planned_, sizes.has_temp ? &temp_ : nullptr) {}

}  // namespace conformance
