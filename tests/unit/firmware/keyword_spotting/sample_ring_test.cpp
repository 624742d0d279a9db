// SPDX-License-Identifier: Apache-2.0
#include "spotting/sample_ring.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

using pilotlight::Span;
using pilotlight::keyword_spotting::SampleRing;

namespace {

constexpr std::size_t kCapacity = SampleRing::kCapacity;

std::vector<std::int16_t> Counting(std::size_t count, std::size_t from = 0) {
  std::vector<std::int16_t> samples(count);
  for (std::size_t i = 0; i < count; ++i) samples[i] = static_cast<std::int16_t>(from + i);
  return samples;
}

Span<const std::int16_t> All(const std::vector<std::int16_t>& samples) {
  return {samples.data(), samples.size()};
}

}  // namespace

TEST(SampleRing, GivesBackWhatWasWrittenInOrder) {
  SampleRing ring;
  std::size_t written = 0, read = 0;
  for (int round = 0; round < 100; ++round) {
    written += ring.Write(All(Counting(700, written)));
    std::int16_t taken[320];
    while (ring.Read(taken)) {
      for (const std::int16_t sample : taken) {
        ASSERT_EQ(sample, static_cast<std::int16_t>(read++));
      }
    }
  }
  EXPECT_EQ(written, 70'000u);
  EXPECT_EQ(ring.lost_samples(), 0u);
}

TEST(SampleRing, AnIncompleteReadTakesNothing) {
  SampleRing ring;
  ring.Write(All(Counting(10)));
  std::int16_t taken[11];
  EXPECT_FALSE(ring.Read(taken));
  EXPECT_EQ(ring.Available(), 10u);
}

TEST(SampleRing, WhatDoesNotFitIsLostAndCountedAndWhatFitsIsWhole) {
  SampleRing ring;
  EXPECT_EQ(ring.Write(All(Counting(kCapacity - 5))), kCapacity - 5);
  EXPECT_EQ(ring.Write(All(Counting(20, kCapacity - 5))), 5u);
  EXPECT_EQ(ring.Write(All(Counting(3))), 0u);
  EXPECT_EQ(ring.lost_samples(), 18u);
  EXPECT_EQ(ring.most_samples(), kCapacity);
  EXPECT_EQ(ring.Free(), 0u);

  std::vector<std::int16_t> taken(kCapacity);
  ASSERT_TRUE(ring.Read({taken.data(), taken.size()}));
  EXPECT_EQ(taken, Counting(kCapacity));
}

TEST(SampleRing, RestartEmptiesItAndForgetsTheCounts) {
  SampleRing ring;
  ring.Write(All(Counting(kCapacity + 1)));
  ring.Restart();
  EXPECT_EQ(ring.Available(), 0u);
  EXPECT_EQ(ring.lost_samples(), 0u);
  EXPECT_EQ(ring.most_samples(), 0u);
}

TEST(SampleRing, AProducerOnAnotherThreadLosesAndRepeatsNothing) {
  constexpr std::size_t kTotal = 2'000'000;
  const auto ring = std::make_unique<SampleRing>();
  std::thread producer([&] {
    for (std::size_t sent = 0; sent < kTotal;) {
      const std::size_t wanted = std::min<std::size_t>(257, kTotal - sent);
      if (ring->Free() < wanted) {
        std::this_thread::yield();
        continue;
      }
      sent += ring->Write(All(Counting(wanted, sent)));
    }
  });
  std::size_t wrong = 0;
  for (std::size_t read = 0; read < kTotal; read += 320) {
    std::int16_t taken[320];
    while (!ring->Read(taken)) std::this_thread::yield();
    for (std::size_t i = 0; i < 320; ++i) {
      wrong += taken[i] != static_cast<std::int16_t>(read + i);
    }
  }
  producer.join();
  EXPECT_EQ(wrong, 0u);
  EXPECT_EQ(ring->lost_samples(), 0u);
}
