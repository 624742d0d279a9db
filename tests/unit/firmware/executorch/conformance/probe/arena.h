// SPDX-License-Identifier: Apache-2.0
//
// Memory for everything that the probe passes to a runtime. A board has no heap.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

#include <executorch/runtime/core/span.h>

namespace conformance {

// Allocates from AllMemory(). The destructor frees everything that was allocated.
class Arena {
 public:
  Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena();

  // Zeroed memory, at a multiple of 64 bytes plus `offset_bytes`. Ends the probe if none is left.
  executorch::runtime::Span<std::uint8_t> Bytes(std::size_t size_bytes,
                                                std::size_t offset_bytes = 0);

  template <typename T>
  executorch::runtime::Span<T> List(std::size_t count) {
    return {reinterpret_cast<T*>(Bytes(count * sizeof(T)).data()), count};
  }
  template <typename T, typename... Arguments>
  T& New(Arguments&&... arguments) {
    return *new (Bytes(sizeof(T)).data()) T(std::forward<Arguments>(arguments)...);
  }

 private:
  std::size_t used_before_;
};

}  // namespace conformance
