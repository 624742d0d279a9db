// SPDX-License-Identifier: Apache-2.0
//
// Sound in, keywords out: features, every few frames an inference, and the decision.
// Knows neither where the sound comes from nor where results go.
#pragma once

#include <cstdint>

#include "description.h"
#include "pilotlight/base/span.h"
#include "pilotlight/pilotlight.h"
#include "spotting/decision.h"
#include "spotting/feature_window.h"
#include "spotting/mfcc.h"
#include "statistics.h"

namespace pilotlight::keyword_spotting {

// Who wants to know. Called from Push(), in thread context; the time it takes is not counted.
class Results {
 public:
  // One frame's features, as computed and as the network gets them.
  virtual void OnFeatures(std::uint32_t frame, Span<const float> features,
                          Span<const std::int8_t> stored) = 0;
  // One inference over the window that ends before sample `end`.
  virtual void OnInference(std::uint64_t end, Span<const std::int8_t> scores,
                           Span<const float> averages) = 0;
  // A keyword. `compute_us`: from the moment that its last sample was at hand.
  virtual void OnKeyword(std::uint64_t end, int keyword, float score, std::uint32_t compute_us) = 0;

 protected:
  ~Results() = default;
};

class Spotter {
 public:
  explicit Spotter(Results& results);

  // Once, after pilotlight_init(). failure() says what went wrong.
  pilotlight_status_t Open();
  const char* failure() const { return pilotlight_failure(&model_); }

  // Forgets all sound and statistics.
  void Restart();

  // Takes the next kHopSamples samples. After a failed inference the next one is tried as usual.
  void Push(Span<const std::int16_t> hop);

  const Statistics& statistics() const { return statistics_; }

 private:
  void Infer(std::uint64_t since_us);

  Results& results_;
  pilotlight_model_t model_ = {};
  Mfcc mfcc_;
  FeatureWindow window_;
  Decision decision_;
  Statistics statistics_;
};

}  // namespace pilotlight::keyword_spotting
