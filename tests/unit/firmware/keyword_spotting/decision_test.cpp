// SPDX-License-Identifier: Apache-2.0
#include "spotting/decision.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "golden.h"

using namespace pilotlight::keyword_spotting;  // NOLINT
using namespace description;                   // NOLINT

namespace {

constexpr float kOutputScale = 0.0625f;  // As in golden_spotting.py.
constexpr float kTolerance = 1e-6f;

std::uint64_t EndOf(std::size_t inference) {
  return (inference * kInferenceHopFrames + kFrames + 1) * kHopSamples;
}

// Scores that give class `loud` all the probability.
struct Scores {
  explicit Scores(int loud) {
    std::fill(values, values + kClasses, static_cast<std::int8_t>(-128));
    values[loud] = 127;
  }
  std::int8_t values[kClasses];
};

}  // namespace

TEST(Decision, EqualsPythonInferenceByInference) {
  const auto scores = Golden<std::int8_t>("scores.bin");
  const auto averages = Golden<float>("averages.bin");
  const auto heard = Golden<std::int32_t>("heard.bin");
  ASSERT_GT(heard.size(), 0u);
  Decision decision(kOutputScale);
  for (std::size_t i = 0; i < heard.size(); ++i) {
    EXPECT_EQ(decision.Push({scores.data() + i * kClasses, kClasses}, EndOf(i)), heard[i]) << i;
    for (std::size_t k = 0; k < kClasses; ++k) {
      EXPECT_NEAR(decision.averages()[k], averages[i * kClasses + k], kTolerance);
    }
  }
}

TEST(Decision, OneWindowAloneDecidesNothing) {
  Decision decision(kOutputScale);
  const Scores keyword(kClasses - 1), silence(0);
  EXPECT_EQ(decision.Push({keyword.values, kClasses}, EndOf(0)), Decision::kNone);
  for (std::size_t i = 1; i < 20; ++i) {
    EXPECT_EQ(decision.Push({silence.values, kClasses}, EndOf(i)), Decision::kNone);
  }
}

TEST(Decision, SilenceAndUnknownAreNeverHeard) {
  Decision decision(kOutputScale);
  for (std::size_t i = 0; i < 20; ++i) {
    const Scores scores(static_cast<int>(i / 10));
    ASSERT_FALSE(kIsKeyword[i / 10]);
    EXPECT_EQ(decision.Push({scores.values, kClasses}, EndOf(i)), Decision::kNone);
  }
}

TEST(Decision, ARefractoryTimeLiesBetweenTwoKeywords) {
  Decision decision(kOutputScale);
  const Scores keyword(kClasses - 1);
  std::uint64_t last = 0;
  int count = 0;
  for (std::size_t i = 0; i < 100; ++i) {
    if (decision.Push({keyword.values, kClasses}, EndOf(i)) == Decision::kNone) continue;
    if (count++ > 0) {
      EXPECT_GE(EndOf(i) - last, kRefractorySamples);
    }
    last = EndOf(i);
  }
  EXPECT_GT(count, 5);
}

TEST(Decision, RestartForgetsWhatWasHeard) {
  Decision decision(kOutputScale);
  const Scores keyword(kClasses - 1);
  for (std::size_t i = 0; i < kAveragedInferences; ++i) {
    decision.Push({keyword.values, kClasses}, EndOf(i));
  }
  decision.Restart();
  EXPECT_EQ(decision.Push({keyword.values, kClasses}, EndOf(0)), Decision::kNone);
  EXPECT_LT(decision.averages()[kClasses - 1], 1.01f / kAveragedInferences);
}
