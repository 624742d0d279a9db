// SPDX-License-Identifier: Apache-2.0
//
// Computes features from sound, one frame at a time. Formulas:
// python/models/kws/features.py. The tables are generated from the same description.
// CMSIS-DSP does the arithmetic, with Helium if the core has it, otherwise in plain C.
#pragma once

#include <cstddef>
#include <cstdint>

#include "description.h"
#include "pilotlight/base/span.h"

namespace pilotlight::keyword_spotting {

class Mfcc {
 public:
  // Drops all sound.
  void Restart() { filled_ = 0; }

  // Takes the next kHopSamples samples. Returns false until a window is full. Later, every call
  // completes a window and writes its normalised coefficients to `features`. Thread context.
  bool Push(Span<const std::int16_t> hop, float (&features)[description::kCoefficients]);

 private:
  void Compute(float (&features)[description::kCoefficients]);

  // The newest `filled_` samples, oldest first.
  std::int16_t sound_[description::kWindowSamples] = {};
  std::size_t filled_ = 0;
  alignas(16) float time_[description::kFftSamples] = {};
  alignas(16) float spectrum_[description::kFftSamples] = {};
};

}  // namespace pilotlight::keyword_spotting
