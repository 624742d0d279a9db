// SPDX-License-Identifier: Apache-2.0
//
// Sound to features, a frame at a time, by the formulas of python/models/kws/features.py
// and with the tables that are generated from the same description. CMSIS-DSP does the
// arithmetic: on Helium where the core has it, otherwise in C.
#pragma once

#include <cstddef>
#include <cstdint>

#include "description.h"
#include "pilotlight/base/span.h"

namespace pilotlight::keyword_spotting {

class Mfcc {
 public:
  // Forgets the sound so far.
  void Restart() { filled_ = 0; }

  // Takes the next kHopSamples samples. Returns false until a window is full; from then on every
  // hop completes one, and `features` holds its coefficients, normalised. Thread context.
  bool Push(Span<const std::int16_t> hop, float (&features)[description::kCoefficients]);

 private:
  void Compute(float (&features)[description::kCoefficients]);

  // The newest samples, oldest first; `filled_` of them are there.
  std::int16_t sound_[description::kWindowSamples] = {};
  std::size_t filled_ = 0;
  alignas(16) float time_[description::kFftSamples] = {};
  alignas(16) float spectrum_[description::kFftSamples] = {};
};

}  // namespace pilotlight::keyword_spotting
