// SPDX-License-Identifier: Apache-2.0
#include "pilotlight/ethos_u/payload.h"

#include <gtest/gtest.h>

#include <vector>

#include "fake_npu.h"

namespace pilotlight::ethos_u {
namespace {

using test::Payload2Around;
using test::PayloadAround;
using Words = std::vector<std::uint32_t>;

constexpr std::uint32_t kStop = 0xFFFF0000;

class PayloadTest : public testing::Test {
 protected:
  Status Parse(const Words& words) { return Parse(words, words.size() * 4); }
  Status Parse(const Words& words, std::size_t size_bytes) {
    words_ = words;
    words_.shrink_to_fit();
    return ParsePayload({reinterpret_cast<const std::byte*>(words_.data()), size_bytes}, payload_,
                        failure_);
  }

  Words words_;
  Payload payload_;
  Failure failure_;
};

TEST_F(PayloadTest, FindsStreamAndConfiguration) {
  ASSERT_EQ(Parse(PayloadAround({0x0001010F, kStop})), Status::kOk);
  EXPECT_EQ(payload_.built_for.config, 0x1807u);
  EXPECT_EQ(payload_.built_for.id, 0x10066001u);
  EXPECT_EQ(payload_.stream.size(), 8u);
  EXPECT_EQ(reinterpret_cast<const std::uint32_t*>(payload_.stream.data()), words_.data() + 8);
}

TEST_F(PayloadTest, EveryTruncationIsRefused) {
  const Words whole = PayloadAround({1, 2, 3, kStop});
  for (std::size_t size = 0; size < whole.size() * 4; ++size) {
    EXPECT_EQ(Parse(whole, size), Status::kBadModel) << size;
  }
}

TEST_F(PayloadTest, LengthAbove64KWordsUsesTheUpperBits) {
  Words words = PayloadAround({});
  words.back() = 2 | 1u << 8 | 1u << 16;  // 65537 words.
  words.resize(words.size() + 65537, kStop);
  ASSERT_EQ(Parse(words), Status::kOk);
  EXPECT_EQ(payload_.stream.size(), 65537u * 4);
}

TEST_F(PayloadTest, LengthBeyondThePayloadIsRefused) {
  Words words = PayloadAround({kStop});
  words[7] = 0xFFFFFF02;
  EXPECT_EQ(Parse(words), Status::kBadModel);
  EXPECT_EQ(failure_.offset, 28u);
}

TEST_F(PayloadTest, EmptyStreamIsRefused) {
  EXPECT_EQ(Parse(PayloadAround({})), Status::kBadModel);
}

TEST_F(PayloadTest, StreamOffItsAlignmentIsRefused) {
  EXPECT_EQ(Parse({0x31504F43, 0x00100001, 0x1807, 0x10066001, 0x00010002, kStop}),
            Status::kBadModel);
}

TEST_F(PayloadTest, PayloadThatNamesNoNpuIsRefused) {
  EXPECT_EQ(Parse({0x31504F43, 5, 5, 0x00010002, kStop}), Status::kBadModel);
}

TEST_F(PayloadTest, ConfigurationCutOffAtTheEndIsRefused) {
  EXPECT_EQ(Parse({0x31504F43, 5, 5, 0x00010002, kStop, 0x00100001, 0x1807}), Status::kBadModel);
}

TEST_F(PayloadTest, SecondStreamIsRefused) {
  Words words = PayloadAround({kStop, kStop, kStop, kStop});
  words.insert(words.end(), {5, 5, 5, 0x00010002, kStop});
  EXPECT_EQ(Parse(words), Status::kUnsupported);
}

TEST_F(PayloadTest, UnknownActionIsRefusedWithItsOffset) {
  Words words = PayloadAround({kStop});
  words[5] = 9;
  EXPECT_EQ(Parse(words), Status::kUnsupported);
  EXPECT_EQ(failure_.offset, 20u);
}

TEST_F(PayloadTest, OtherFormatIsRefused) {
  Words words = PayloadAround({kStop});
  words[0] = 0x33504F43;  // COP3
  EXPECT_EQ(Parse(words), Status::kBadModel);
}

TEST_F(PayloadTest, FindsStreamAndConfigurationInTheSecondFormatToo) {
  ASSERT_EQ(Parse(Payload2Around({0x0001010F, kStop})), Status::kOk);
  EXPECT_EQ(payload_.built_for.config, 0x1807u);
  EXPECT_EQ(payload_.built_for.id, 0x10066001u);
  EXPECT_EQ(payload_.stream.size(), 8u);
  EXPECT_EQ(reinterpret_cast<const std::uint32_t*>(payload_.stream.data()), words_.data() + 16);
}

TEST_F(PayloadTest, EveryTruncationOfTheSecondFormatIsRefused) {
  const Words whole = Payload2Around({1, 2, 3, kStop});
  for (std::size_t size = 0; size < whole.size() * 4; ++size) {
    EXPECT_EQ(Parse(whole, size), Status::kBadModel) << size;
  }
}

TEST_F(PayloadTest, NothingBeyondAShortPayloadOfTheSecondFormatIsRead) {
  const Words whole = Payload2Around({kStop});
  for (std::ptrdiff_t words = 1; words < 17; ++words) {
    // A vector of exactly this size, so that a sanitizer detects any read beyond it.
    EXPECT_EQ(Parse(Words(whole.begin(), whole.begin() + words)), Status::kBadModel) << words;
  }
}

TEST_F(PayloadTest, SecondFormatMayHaveLongerFactsThatKeepTheStreamAligned) {
  Words words = Payload2Around({kStop});
  words.insert(words.begin() + 15, 4, 0xFFFFFFFF);
  words[2] += 16;
  words[5] += 16;
  words[6] += 16;
  ASSERT_EQ(Parse(words), Status::kOk);
  EXPECT_EQ(reinterpret_cast<const std::uint32_t*>(payload_.stream.data()), words_.data() + 20);
}

TEST_F(PayloadTest, WrongSizesInTheSecondFormatAreRefused) {
  for (const std::size_t word : {2u, 5u, 6u}) {
    for (const std::uint32_t change : {1u, 4u, ~0u, 32u, ~15u, 0x7FFFFFF0u}) {
      Words words = Payload2Around({kStop, kStop, kStop, kStop});
      words[word] += change;
      EXPECT_EQ(Parse(words), Status::kBadModel) << word << " " << change;
    }
  }
}

TEST_F(PayloadTest, WhatTheSecondFormatMayHoldBesidesOneStreamIsUnsupported) {
  // Versions, upper half of the size, type of the entry, and kind of its facts.
  for (const std::size_t word : {1u, 3u, 4u, 7u, 8u, 9u}) {
    Words words = Payload2Around({kStop});
    words[word] += 1;
    EXPECT_EQ(Parse(words), Status::kUnsupported) << word;
    EXPECT_EQ(failure_.offset, 4 * word);
  }
}

TEST(Runs, ComparesWhatChangesTheStream) {
  const NpuIdentity u85{test::kConfigU85_256, test::kIdU85};
  EXPECT_TRUE(Runs(u85, u85));
  // MACs, version of the stream, ports to SRAM, ports to external memory.
  for (const std::uint32_t bit : {0u, 4u, 8u, 9u, 10u}) {
    EXPECT_FALSE(Runs({u85.config ^ 1u << bit, u85.id}, u85)) << bit;
  }
  EXPECT_TRUE(Runs({u85.config ^ 1u << 12, u85.id}, u85));  // The number of weight decoders.
  // The stream's version of the architecture may be older, but not newer.
  EXPECT_TRUE(Runs({u85.config, u85.id}, {u85.config, u85.id + (1u << 20)}));
  EXPECT_FALSE(Runs({u85.config, u85.id + (1u << 20)}, u85));
  EXPECT_FALSE(Runs({u85.config, u85.id + (1u << 28)}, u85));
  // A custom DMA is needed, and missing.
  EXPECT_FALSE(Runs({u85.config | 1u << 27, u85.id}, u85));
  EXPECT_TRUE(Runs(u85, {u85.config | 1u << 27, u85.id}));
}

TEST(Runs, DoesNotCompareTheInternalMemoryOfAnNpuWithoutPorts) {
  const NpuIdentity u55{test::kConfigU55_128, test::kIdU55};
  EXPECT_TRUE(Runs({u55.config ^ 7u << 8, u55.id}, u55));
  EXPECT_FALSE(Runs({u55.config ^ 1u << 28, u55.id}, u55));
}

}  // namespace
}  // namespace pilotlight::ethos_u
