// SPDX-License-Identifier: Apache-2.0
#include "spotting/feature_window.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace pilotlight::keyword_spotting;  // NOLINT
using description::kCoefficients;
using description::kFrames;

namespace {

void PushFilled(FeatureWindow& window, float value) {
  float features[kCoefficients];
  for (float& feature : features) feature = value;
  window.Push(features);
}

std::int8_t Stored(float value, Quantisation quantisation) {
  FeatureWindow window(quantisation);
  PushFilled(window, value);
  return window.newest()[0];
}

}  // namespace

TEST(FeatureWindow, HoldsTheNewestFramesOldestFirst) {
  FeatureWindow window({1.0f, 0});
  for (std::uint32_t frame = 0; frame < 120; ++frame) {
    EXPECT_EQ(window.full(), frame >= kFrames);
    PushFilled(window, static_cast<float>(frame));
    if (!window.full()) continue;
    std::int8_t input[FeatureWindow::kElements];
    window.CopyTo(input);
    for (std::uint32_t i = 0; i < kFrames; ++i) {
      ASSERT_EQ(input[i * kCoefficients], static_cast<std::int8_t>(frame + 1 - kFrames + i));
      ASSERT_EQ(input[i * kCoefficients + kCoefficients - 1], input[i * kCoefficients]);
    }
  }
}

TEST(FeatureWindow, RoundsHalvesToEvenAsTheExporterDoes) {
  EXPECT_EQ(Stored(0.25f, {0.5f, -2}), -2);
  EXPECT_EQ(Stored(0.75f, {0.5f, -2}), 0);
  EXPECT_EQ(Stored(-0.25f, {0.5f, 3}), 3);
}

TEST(FeatureWindow, ClampsWhatInt8CannotHold) {
  EXPECT_EQ(Stored(1e30f, {0.05f, 0}), 127);
  EXPECT_EQ(Stored(-1e30f, {0.05f, 0}), -128);
  EXPECT_EQ(Stored(INFINITY, {0.05f, 5}), 127);
}

TEST(FeatureWindow, IsEmptyAfterARestart) {
  FeatureWindow window({1.0f, 0});
  for (std::uint32_t frame = 0; frame < kFrames; ++frame) PushFilled(window, 1.0f);
  EXPECT_TRUE(window.full());
  window.Restart();
  EXPECT_FALSE(window.full());
}
