// SPDX-License-Identifier: Apache-2.0
//
// Stand-ins for kernels and for a delegate. They use every byte that they are handed, and check
// that it lies in memory that the program was given.
#pragma once

#include <executorch/runtime/core/span.h>
#include <executorch/runtime/kernel/operator_registry.h>

#include <cstddef>
#include <cstdint>

namespace pilotlight::fuzz {

// What a program may touch: its file, planned buffers, inputs and outputs.
class Territory {
 public:
  void Clear() { count_ = 0; }
  void Add(const void* begin, std::size_t size_bytes, bool writable);
  bool Holds(const void* begin, std::size_t size_bytes, bool writable) const;

 private:
  struct Range {
    std::uintptr_t begin;
    std::size_t size_bytes;
    bool writable;
  };
  static constexpr std::size_t kMaxRanges = 512;
  Range ranges_[kMaxRanges];
  std::size_t count_ = 0;
};

// Of the program that is being examined.
extern Territory territory;

// Delegates that init() accepted and destroy() has not seen yet.
extern std::uint32_t living_delegates;

// Registers the backend "FuzzBackend". Once.
void RegisterProbes();

// Kernels for every operator that the seeds name.
executorch::runtime::Span<const executorch::runtime::Kernel> ProbeKernels();

// Reads all bytes and returns a number made from them.
std::uint32_t Digest(const void* data, std::size_t size_bytes);

}  // namespace pilotlight::fuzz
