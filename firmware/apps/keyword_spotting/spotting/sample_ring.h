// SPDX-License-Identifier: Apache-2.0
//
// A ring of samples with one producer, which may be an interrupt or the end of a DMA
// transfer, and one consumer. Neither waits for the other. Neither disables interrupts.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "pilotlight/base/span.h"

namespace pilotlight::keyword_spotting {

class SampleRing {
 public:
  // A power of two. 256 ms at 16 kHz, which is more than one inference takes.
  static constexpr std::uint32_t kCapacity = 4096;

  // Producer, any context. Takes as many of the first samples as fit and returns their
  // number. Drops and counts the rest, so the ring keeps a contiguous piece of sound.
  std::size_t Write(Span<const std::int16_t> samples);
  std::size_t Free() const;

  // Consumer, thread context. Takes into.size() samples. If there are fewer samples, it takes none
  // and returns false.
  bool Read(Span<std::int16_t> into);
  std::size_t Available() const;

  // Any context. The samples that Write() dropped, and the highest fill of the ring.
  std::uint32_t lost_samples() const { return lost_.load(std::memory_order_relaxed); }
  std::uint32_t most_samples() const { return most_.load(std::memory_order_relaxed); }

  // Empties the ring and clears both counts. The producer must not write meanwhile.
  void Restart();

 private:
  std::int16_t samples_[kCapacity] = {};
  // Counters that only grow, modulo 2^32. Only the producer writes `written_`, only the consumer
  // `read_`. Release and acquire order publish the samples.
  std::atomic<std::uint32_t> written_{0};
  std::atomic<std::uint32_t> read_{0};
  std::atomic<std::uint32_t> lost_{0};
  std::atomic<std::uint32_t> most_{0};
};

}  // namespace pilotlight::keyword_spotting
