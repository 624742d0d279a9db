// SPDX-License-Identifier: Apache-2.0
//
// From one inference's scores after the other to keywords, by the formulas of
// python/models/kws/decision.py.
#pragma once

#include <cstdint>

#include "description.h"
#include "pilotlight/base/span.h"

namespace pilotlight::keyword_spotting {

class Decision {
 public:
  // Of the network's outputs: real = (stored - zero_point) * scale. The zero point does not matter
  // to a softmax.
  explicit Decision(float scale) : scale_(scale) {}

  void Restart();

  // Takes the scores of the window that ends before sample `end`. Returns the keyword's class, or
  // kNone. averages() holds until the next call.
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
