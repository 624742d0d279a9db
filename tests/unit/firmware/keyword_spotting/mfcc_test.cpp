// SPDX-License-Identifier: Apache-2.0
//
// Compares the features with features.py, on the host, where CMSIS-DSP is plain C.
// tests/hil/test_keyword_spotting.py does the same with Helium.
#include "spotting/mfcc.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "golden.h"
#include "spotting/feature_window.h"

using namespace pilotlight;                    // NOLINT
using namespace pilotlight::keyword_spotting;  // NOLINT
using description::kCoefficients;
using description::kHopSamples;

namespace {

// The tolerances are in units of a feature. The standard deviation of a feature over speech is 1,
// and an int8 step is 0.05.
constexpr float kSpeechTolerance = 2e-5f;
// If one bin is at full scale, rounding of float32 is visible in bins that should be empty.
constexpr float kTolerance = 2e-3f;

std::vector<float> FeaturesOf(const std::vector<std::int16_t>& sound) {
  static Mfcc mfcc;
  mfcc.Restart();
  std::vector<float> found;
  for (std::size_t at = 0; at + kHopSamples <= sound.size(); at += kHopSamples) {
    float features[kCoefficients];
    if (mfcc.Push({sound.data() + at, kHopSamples}, features)) {
      found.insert(found.end(), features, features + kCoefficients);
    }
  }
  return found;
}

float Worst(const float* found, const float* golden, std::size_t count) {
  float worst = 0.0f;
  for (std::size_t i = 0; i < count; ++i) worst = std::fmax(worst, std::fabs(found[i] - golden[i]));
  return worst;
}

}  // namespace

TEST(Mfcc, EqualsPythonForSpeechSilenceNoiseAndFullScale) {
  const auto golden = Golden<float>("features.bin");
  const auto found = FeaturesOf(Golden<std::int16_t>("sounds.bin"));
  ASSERT_EQ(found.size(), golden.size());
  const std::size_t speech = Golden<std::uint32_t>("speech_frames.bin")[0] * kCoefficients;
  EXPECT_LT(Worst(found.data(), golden.data(), speech), kSpeechTolerance);
  EXPECT_LT(Worst(found.data() + speech, golden.data() + speech, golden.size() - speech),
            kTolerance);
}

TEST(Mfcc, NextToNoQuantisedFeatureDiffersFromPythons) {
  const auto golden = Golden<float>("features.bin");
  const auto found = FeaturesOf(Golden<std::int16_t>("sounds.bin"));
  constexpr float kScale = 0.05f;
  std::size_t different = 0;
  for (std::size_t i = 0; i < golden.size(); ++i) {
    if (std::lrintf(found[i] / kScale) != std::lrintf(golden[i] / kScale)) ++different;
  }
  EXPECT_LE(different, golden.size() / 1000);
}

TEST(Mfcc, SoundBeforeARestartLeavesNoTrace) {
  const auto sound = Golden<std::int16_t>("sounds.bin");
  const std::vector<std::int16_t> beginning(sound.begin(), sound.begin() + 40 * kHopSamples);
  const auto once = FeaturesOf(beginning);
  FeaturesOf(sound);
  EXPECT_EQ(FeaturesOf(beginning), once);
}

TEST(Mfcc, SilenceGivesFiniteFeatures) {
  for (const float feature : FeaturesOf(std::vector<std::int16_t>(8 * kHopSamples, 0))) {
    EXPECT_TRUE(std::isfinite(feature));
  }
}
