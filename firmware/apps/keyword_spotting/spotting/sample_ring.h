// SPDX-License-Identifier: Apache-2.0
//
// Samples between whoever records them and whoever listens: one producer, which
// may be an interrupt or the end of a DMA transfer, and one consumer. Neither
// waits for the other and neither disables interrupts.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "pilotlight/base/span.h"

namespace pilotlight::keyword_spotting {

class SampleRing {
 public:
  // 256 ms at 16 kHz, a power of two: more than one inference takes.
  static constexpr std::uint32_t kCapacity = 4096;

  // Producer, any context. Takes what fits and returns how many; the rest is lost
  // and counted, the newest first: what was recorded stays in one piece.
  std::size_t Write(Span<const std::int16_t> samples);
  std::size_t Free() const;

  // Consumer, thread context. Takes into.size() samples, or none and returns false
  // when fewer are there.
  bool Read(Span<std::int16_t> into);
  std::size_t Available() const;

  // Any context. Samples that Write() had no room for, and the most there ever were at once.
  std::uint32_t lost_samples() const { return lost_.load(std::memory_order_relaxed); }
  std::uint32_t most_samples() const { return most_.load(std::memory_order_relaxed); }

  // While nobody writes: empties it and forgets the counts.
  void Restart();

 private:
  std::int16_t samples_[kCapacity] = {};
  // Counters that only grow, modulo 2^32. The producer alone writes `written_`, the consumer alone
  // `read_`; release and acquire hand over the samples between them.
  std::atomic<std::uint32_t> written_{0};
  std::atomic<std::uint32_t> read_{0};
  std::atomic<std::uint32_t> lost_{0};
  std::atomic<std::uint32_t> most_{0};
};

}  // namespace pilotlight::keyword_spotting
