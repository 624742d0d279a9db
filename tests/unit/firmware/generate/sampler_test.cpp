// SPDX-License-Identifier: Apache-2.0
#include "sampling/sampler.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "golden_sampler.h"

namespace pilotlight::generate {
namespace {

TEST(Pcg32, HasTheNumbersThatItsAuthorPublished) {
  // The first line of pcg32-demo's output: seed 42, stream 54.
  Pcg32 random(42);
  for (const std::uint32_t expected :
       {0xA15C02B7u, 0x7B47F409u, 0xBA1D3330u, 0x83D2F293u, 0xBFA4784Bu, 0xCBED606Eu}) {
    EXPECT_EQ(random.Next(), expected);
  }
}

TEST(Sampler, ChoosesTheTokensThatTheHostChooses) {
  std::size_t number = 0;
  for (const golden::Case& one : golden::kCases) {
    SCOPED_TRACE(number++);
    Sampler sampler;
    if (one.samples) {
      ASSERT_TRUE(sampler.UseWeights({one.weights, Sampler::kWeights}, one.top_k, one.seed));
    }
    for (std::size_t draw = 0; draw < golden::kDraws; ++draw) {
      EXPECT_EQ(sampler.Next({one.logits + draw * one.vocabulary, one.vocabulary}),
                one.tokens[draw])
          << "draw " << draw;
    }
  }
}

std::vector<std::uint32_t> Weights(std::uint32_t first, std::uint32_t second) {
  std::vector<std::uint32_t> weights(Sampler::kWeights, 0);
  weights[0] = first;
  weights[1] = second;
  return weights;
}

TEST(Sampler, DrawsInProportionToTheWeights) {
  const std::vector<std::uint32_t> weights = Weights(65536, 16384);
  Sampler sampler;
  ASSERT_TRUE(sampler.UseWeights({weights.data(), weights.size()}, 0, 3));
  const std::int8_t logits[] = {6, 7, 5, 6};  // Weights 16384, 65536, 0, 16384.
  std::map<std::size_t, int> drawn;
  for (int i = 0; i < 6000; ++i) ++drawn[sampler.Next(logits)];
  EXPECT_NEAR(drawn[1], 4000, 150);
  EXPECT_NEAR(drawn[0], 1000, 120);
  EXPECT_NEAR(drawn[3], 1000, 120);
  EXPECT_EQ(drawn.count(2), 0u);
}

TEST(Sampler, SmallWeightsReachEachTokenAlike) {
  const std::vector<std::uint32_t> weights(Sampler::kWeights, 1);
  Sampler sampler;
  ASSERT_TRUE(sampler.UseWeights({weights.data(), weights.size()}, 0, 4));
  const std::int8_t logits[] = {-128, 127, 0, 5};
  std::map<std::size_t, int> drawn;
  for (int i = 0; i < 4000; ++i) ++drawn[sampler.Next(logits)];
  for (std::size_t token = 0; token < 4; ++token) EXPECT_NEAR(drawn[token], 1000, 120) << token;
}

TEST(Sampler, LogitsBelowTheTopAreNeverDrawn) {
  const std::vector<std::uint32_t> weights(Sampler::kWeights, 1);
  Sampler sampler;
  ASSERT_TRUE(sampler.UseWeights({weights.data(), weights.size()}, 2, 4));
  const std::int8_t logits[] = {1, 3, 0, 2};
  for (int i = 0; i < 200; ++i) EXPECT_EQ(sampler.Next(logits) % 2, 1u);
}

TEST(Sampler, KeepsTheFirstOfEqualLogits) {
  const std::vector<std::uint32_t> weights(Sampler::kWeights, Sampler::kMaxWeight);
  Sampler sampler;
  ASSERT_TRUE(sampler.UseWeights({weights.data(), weights.size()}, 3, 5));
  const std::int8_t logits[] = {-4, 9, -4, -4, -5};
  std::map<std::size_t, int> drawn;
  for (int i = 0; i < 300; ++i) ++drawn[sampler.Next(logits)];
  EXPECT_EQ(drawn.size(), 3u);
  EXPECT_TRUE(drawn.count(0) != 0 && drawn.count(1) != 0 && drawn.count(2) != 0);
}

TEST(Sampler, TheSameSeedGivesTheSameTokens) {
  const std::vector<std::uint32_t> weights(Sampler::kWeights, Sampler::kMaxWeight);
  const std::int8_t logits[16] = {};
  std::vector<std::size_t> tokens[3];
  const std::uint64_t seeds[] = {1, 1, 2};
  for (int run = 0; run < 3; ++run) {
    Sampler sampler;
    ASSERT_TRUE(sampler.UseWeights({weights.data(), weights.size()}, 0, seeds[run]));
    for (int i = 0; i < 20; ++i) tokens[run].push_back(sampler.Next(logits));
  }
  EXPECT_EQ(tokens[0], tokens[1]);
  EXPECT_NE(tokens[0], tokens[2]);
}

TEST(Sampler, WeightsThatCannotBeDrawnAreRefusedAndNothingChanges) {
  Sampler sampler;
  for (const auto& weights : {Weights(0, 5), Weights(65537, 5), Weights(5, 65537),
                              std::vector<std::uint32_t>(Sampler::kWeights - 1, 1)}) {
    EXPECT_FALSE(sampler.UseWeights({weights.data(), weights.size()}, 0, 0));
  }
  const std::int8_t logits[] = {1, 2, 3, 3};
  EXPECT_EQ(sampler.Next(logits), 2u) << "still greedy";
}

}  // namespace
}  // namespace pilotlight::generate
