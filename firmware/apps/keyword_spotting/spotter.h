// SPDX-License-Identifier: Apache-2.0
//
// Turns sound into keywords: computes features, runs an inference every few frames, and
// decides. This class does not know where sound comes from or where results go.
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

// Receives results. Push() calls it in thread context. The statistics do not include the time of
// the receiver.
class Results {
 public:
  // One frame's features: as computed, and quantised for the network.
  virtual void OnFeatures(std::uint32_t frame, Span<const float> features,
                          Span<const std::int8_t> stored) = 0;
  // One inference. `end` is the first sample after its window.
  virtual void OnInference(std::uint64_t end, Span<const std::int8_t> scores,
                           Span<const float> averages) = 0;
  // A keyword. `compute_us` starts when the last sample of the window was available.
  virtual void OnKeyword(std::uint64_t end, int keyword, float score, std::uint32_t compute_us) = 0;

 protected:
  ~Results() = default;
};

class Spotter {
 public:
  explicit Spotter(Results& results);

  // Call once, after pilotlight_init(). failure() gives the reason of an error.
  pilotlight_status_t Open();
  const char* failure() const { return pilotlight_failure(&model_); }

  // Drops all sound and statistics.
  void Restart();

  // Takes the next kHopSamples samples. A failed inference does not stop the next one.
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
