// SPDX-License-Identifier: Apache-2.0
//
// Decides about keywords from the scores of successive inferences. Formulas:
// python/models/kws/decision.py.
#pragma once

#include <cstdint>

#include "description.h"
#include "pilotlight/base/span.h"

namespace pilotlight::keyword_spotting {

class Decision {
 public:
  // `scale` is that of the network's output: real = (stored - zero_point) * scale. The zero point
  // does not change a softmax.
  explicit Decision(float scale) : scale_(scale) {}

  void Restart();

  // Takes the scores of one inference; `end` is the first sample after its window. Returns the
  // keyword's class, or kNone. averages() is valid until the next call.
  static constexpr int kNone = -1;
  int Push(Span<const std::int8_t> scores, std::uint64_t end);

  const float (&averages() const)[description::kClasses] { return averages_; }

 private:
  float scale_;
  float recent_[description::kAveragedInferences][description::kClasses] = {};
  std::uint32_t next_ = 0;
  float averages_[description::kClasses] = {};
  bool heard_ = false;
  std::uint64_t last_heard_ = 0;
};

}  // namespace pilotlight::keyword_spotting
