// SPDX-License-Identifier: Apache-2.0
//
// Each block is a heap block of exactly the requested size, so that AddressSanitizer sees the first
// byte beyond it. The destructor frees all blocks.
#pragma once

#include <cstdlib>
#include <vector>

#include "program_case.h"

namespace pilotlight::fuzz {

class HeapMemory final : public Memory {
 public:
  HeapMemory() = default;
  HeapMemory(const HeapMemory&) = delete;
  HeapMemory& operator=(const HeapMemory&) = delete;
  ~HeapMemory() {
    for (void* block : blocks_) std::free(block);
  }

  void* Allocate(std::size_t size_bytes, std::size_t align) override {
    if (size_bytes > kMaxBytes - used_bytes_) return nullptr;
    void* block = nullptr;
    // Blocks of size 0 get an address of their own too.
    if (posix_memalign(&block, align < sizeof(void*) ? sizeof(void*) : align, size_bytes) != 0) {
      return nullptr;
    }
    used_bytes_ += size_bytes;
    blocks_.push_back(block);
    return block;
  }

 private:
  static constexpr std::size_t kMaxBytes = std::size_t{16} << 20;
  std::vector<void*> blocks_;
  std::size_t used_bytes_ = 0;
};

}  // namespace pilotlight::fuzz
