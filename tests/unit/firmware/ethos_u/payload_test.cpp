// SPDX-License-Identifier: Apache-2.0
#include "pilotlight/ethos_u/payload.h"

#include <gtest/gtest.h>

#include <vector>

#include "fake_npu.h"

namespace pilotlight::ethos_u {
namespace {

using test::PayloadAround;
using Words = std::vector<std::uint32_t>;

constexpr std::uint32_t kStop = 0xFFFF0000;

class PayloadTest : public testing::Test {
 protected:
  Status Parse(const Words& words) { return Parse(words, words.size() * 4); }
  Status Parse(const Words& words, std::size_t size_bytes) {
    words_ = words;
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
  words[0] = 0x32504F43;  // COP2
  EXPECT_EQ(Parse(words), Status::kBadModel);
}

}  // namespace
}  // namespace pilotlight::ethos_u
