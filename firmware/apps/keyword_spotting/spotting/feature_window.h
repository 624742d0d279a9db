// SPDX-License-Identifier: Apache-2.0
//
// The frames that are the network's input. Each frame is quantised once, when it enters
// the window. Every inference uses the quantised frame until the frame leaves the window.
#pragma once

#include <cstddef>
#include <cstdint>

#include "description.h"
#include "pilotlight/base/span.h"

namespace pilotlight::keyword_spotting {

// stored = real / scale + zero_point, rounded to nearest even, as in the exporter.
struct Quantisation {
  float scale;
  std::int32_t zero_point;
};

class FeatureWindow {
 public:
  static constexpr std::size_t kElements =
      std::size_t{description::kFrames} * description::kCoefficients;

  explicit FeatureWindow(Quantisation quantisation) : quantisation_(quantisation) {}

  void Restart() { frames_ = 0; }

  void Push(const float (&features)[description::kCoefficients]);

  bool full() const { return frames_ >= description::kFrames; }
  std::uint32_t frames() const { return frames_; }  // Since Restart().

  // The newest frame. Needs at least one Push().
  Span<const std::int8_t> newest() const;

  // Writes the window, oldest frame first. full() must be true.
  void CopyTo(Span<std::int8_t> input) const;

 private:
  Quantisation quantisation_;
  std::int8_t values_[kElements] = {};  // Frame i is at i modulo kFrames.
  std::uint32_t frames_ = 0;
};

}  // namespace pilotlight::keyword_spotting
