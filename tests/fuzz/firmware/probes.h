// SPDX-License-Identifier: Apache-2.0
//
// Stand-ins for kernels and for a delegate. The stand-ins use every byte that they are given, and
// check that it lies in memory that the program may touch.
#pragma once

#include <executorch/runtime/core/span.h>
#include <executorch/runtime/kernel/operator_registry.h>

#include <cstddef>
#include <cstdint>

namespace pilotlight::fuzz {

// The memory that a program may touch: its file, planned buffers, inputs and outputs.
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

// The territory of the program under examination.
extern Territory territory;

// Number of delegates that init() accepted and destroy() has not destroyed yet.
extern std::uint32_t living_delegates;

// Registers the backend "FuzzBackend". Call it once.
void RegisterProbes();

// Kernels for every operator that the seeds name.
executorch::runtime::Span<const executorch::runtime::Kernel> ProbeKernels();

// Reads all bytes and returns a number computed from them.
std::uint32_t Digest(const void* data, std::size_t size_bytes);

}  // namespace pilotlight::fuzz
