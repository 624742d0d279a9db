// SPDX-License-Identifier: Apache-2.0
#include "spotting/decision.h"

#include <algorithm>
#include <cmath>

#include "pilotlight/base/check.h"

namespace pilotlight::keyword_spotting {

using namespace description;  // NOLINT: this file is its formulas

void Decision::Restart() { *this = Decision(scale_); }

int Decision::Push(Span<const std::int8_t> scores, std::uint64_t end) {
  PILOTLIGHT_CHECK(scores.size() == kClasses);
  const std::int8_t highest = *std::max_element(scores.begin(), scores.end());
  float (&powers)[kClasses] = recent_[next_];
  next_ = (next_ + 1) % kAveragedInferences;
  float sum = 0.0f;
  for (std::uint32_t i = 0; i < kClasses; ++i) {
    powers[i] = std::exp(static_cast<float>(scores[i] - highest) * scale_);
    sum += powers[i];
  }
  for (float& power : powers) power /= sum;

  int best = kNone;
  for (std::uint32_t i = 0; i < kClasses; ++i) {
    averages_[i] = 0.0f;
    for (const auto& inference : recent_) averages_[i] += inference[i];
    averages_[i] /= static_cast<float>(kAveragedInferences);
    if (kIsKeyword[i] && (best == kNone || averages_[i] > averages_[best])) {
      best = static_cast<int>(i);
    }
  }
  if (best == kNone || averages_[best] < kThreshold) return kNone;
  if (heard_ && end - last_heard_ < kRefractorySamples) return kNone;
  heard_ = true;
  last_heard_ = end;
  return best;
}

}  // namespace pilotlight::keyword_spotting
