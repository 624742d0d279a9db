// SPDX-License-Identifier: Apache-2.0
#include "spotting/sample_ring.h"

namespace pilotlight::keyword_spotting {

std::size_t SampleRing::Write(Span<const std::int16_t> samples) {
  const std::uint32_t written = written_.load(std::memory_order_relaxed);
  const std::uint32_t used = written - read_.load(std::memory_order_acquire);
  const std::size_t room = kCapacity - used;
  const std::size_t count = samples.size() < room ? samples.size() : room;
  for (std::size_t i = 0; i < count; ++i) samples_[(written + i) % kCapacity] = samples[i];
  written_.store(written + static_cast<std::uint32_t>(count), std::memory_order_release);

  const auto now_used = static_cast<std::uint32_t>(used + count);
  if (now_used > most_.load(std::memory_order_relaxed)) {
    most_.store(now_used, std::memory_order_relaxed);
  }
  const auto lost = static_cast<std::uint32_t>(samples.size() - count);
  if (lost != 0) {
    lost_.store(lost_.load(std::memory_order_relaxed) + lost, std::memory_order_relaxed);
  }
  return count;
}

std::size_t SampleRing::Free() const { return kCapacity - Available(); }

bool SampleRing::Read(Span<std::int16_t> into) {
  if (Available() < into.size()) return false;
  const std::uint32_t read = read_.load(std::memory_order_relaxed);
  for (std::size_t i = 0; i < into.size(); ++i) into[i] = samples_[(read + i) % kCapacity];
  read_.store(read + static_cast<std::uint32_t>(into.size()), std::memory_order_release);
  return true;
}

std::size_t SampleRing::Available() const {
  return written_.load(std::memory_order_acquire) - read_.load(std::memory_order_acquire);
}

void SampleRing::Restart() {
  read_.store(written_.load());
  lost_.store(0);
  most_.store(0);
}

}  // namespace pilotlight::keyword_spotting
