// SPDX-License-Identifier: Apache-2.0
#include "spotting/mfcc.h"

#include <arm_math.h>

#include <cmath>
#include <cstring>

#include "pilotlight/base/check.h"

namespace pilotlight::keyword_spotting {

using namespace description;  // NOLINT: this file is its formulas

namespace {

static_assert(kWindowSamples <= kFftSamples);
static_assert(kHopSamples <= kWindowSamples);
static_assert(sizeof(std::int16_t) == sizeof(q15_t));

constexpr std::uint32_t kBins = kFftSamples / 2 + 1;

// Made once, at the first frame, so that no constructor runs before main().
const arm_rfft_fast_instance_f32& Transform() {
  static arm_rfft_fast_instance_f32 instance;
  static bool made = false;
  if (!made) {
    PILOTLIGHT_CHECK(KEYWORD_SPOTTING_RFFT_INIT(&instance) == ARM_MATH_SUCCESS);
    made = true;
  }
  return instance;
}

}  // namespace

bool Mfcc::Push(Span<const std::int16_t> hop, float (&features)[kCoefficients]) {
  PILOTLIGHT_CHECK(hop.size() == kHopSamples);
  if (filled_ + kHopSamples > kWindowSamples) {
    const std::size_t kept = kWindowSamples - kHopSamples;
    std::memmove(sound_, sound_ + filled_ - kept, kept * sizeof sound_[0]);
    filled_ = kept;
  }
  std::memcpy(sound_ + filled_, hop.data(), hop.size() * sizeof sound_[0]);
  filled_ += hop.size();
  if (filled_ < kWindowSamples) return false;
  Compute(features);
  return true;
}

void Mfcc::Compute(float (&features)[kCoefficients]) {
  arm_q15_to_float(sound_, time_, kWindowSamples);  // sample / 32768
  arm_mult_f32(time_, kWindow, time_, kWindowSamples);
  std::memset(time_ + kWindowSamples, 0, (kFftSamples - kWindowSamples) * sizeof time_[0]);
  // The transform overwrites its input, so time_ can hold the magnitudes from here on.
  arm_rfft_fast_f32(const_cast<arm_rfft_fast_instance_f32*>(&Transform()), time_, spectrum_, 0);

  // Bins 0 and N / 2 are real, and both are in the first complex element.
  float* const magnitudes = time_;
  magnitudes[0] = std::fabs(spectrum_[0]);
  magnitudes[kBins - 1] = std::fabs(spectrum_[1]);
  arm_cmplx_mag_f32(spectrum_ + 2, magnitudes + 1, kBins - 2);

  alignas(16) float energies[kMelBands];
  for (std::uint32_t band = 0; band < kMelBands; ++band) {
    const MelBand& filter = kMelFilters[band];
    arm_dot_prod_f32(magnitudes + filter.first_bin, kMelWeights + filter.first_weight, filter.bins,
                     &energies[band]);
  }
  arm_offset_f32(energies, kLogOffset, energies, kMelBands);
  arm_vlog_f32(energies, energies, kMelBands);

  const arm_matrix_instance_f32 dct = {kCoefficients, kMelBands, const_cast<float*>(kDct)};
  arm_mat_vec_mult_f32(&dct, energies, features);
  arm_sub_f32(features, kOffset, features, kCoefficients);
  arm_mult_f32(features, kScale, features, kCoefficients);
}

}  // namespace pilotlight::keyword_spotting
