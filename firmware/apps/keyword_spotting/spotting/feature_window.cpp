// SPDX-License-Identifier: Apache-2.0
#include "spotting/feature_window.h"

#include <cmath>
#include <cstring>

#include "pilotlight/base/check.h"

namespace pilotlight::keyword_spotting {

using description::kCoefficients;
using description::kFrames;

namespace {

std::size_t At(std::size_t frame) { return frame % kFrames * kCoefficients; }

}  // namespace

void FeatureWindow::Push(const float (&features)[kCoefficients]) {
  std::int8_t* const frame = values_ + At(frames_);
  const float inverse_scale = 1.0f / quantisation_.scale;
  for (std::uint32_t i = 0; i < kCoefficients; ++i) {
    // Clamped first, because converting a value outside the integer range is undefined.
    const float steps = std::fmin(std::fmax(features[i] * inverse_scale, -1000.0f), 1000.0f);
    const long stored = std::lrintf(steps) + quantisation_.zero_point;
    frame[i] = static_cast<std::int8_t>(stored < -128 ? -128 : stored > 127 ? 127 : stored);
  }
  ++frames_;
}

Span<const std::int8_t> FeatureWindow::newest() const {
  PILOTLIGHT_CHECK(frames_ > 0);
  return {values_ + At(frames_ - 1), kCoefficients};
}

void FeatureWindow::CopyTo(Span<std::int8_t> input) const {
  PILOTLIGHT_CHECK(full() && input.size() == kElements);
  const std::size_t oldest = At(frames_);
  std::memcpy(input.data(), values_ + oldest, kElements - oldest);
  std::memcpy(input.data() + kElements - oldest, values_, oldest);
}

}  // namespace pilotlight::keyword_spotting
