// SPDX-License-Identifier: Apache-2.0
#include "pilotlight/ethos_u/blob.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "golden_file.h"

namespace pilotlight::ethos_u {
namespace {

// Offsets in the golden blob (data/README.md).
constexpr std::size_t kPayloadHeaderAt = 32;
constexpr std::size_t kInputsAt = 4288 - 112;
constexpr std::size_t kOutputsAt = 4368 - 112;
constexpr std::size_t kScratchSizeAt = 4240 - 112;

class BlobTest : public testing::Test {
 protected:
  Status Parse() { return ParseBlob({bytes_.data(), bytes_.size()}, blob_, error_); }
  void Put(std::size_t at, std::uint32_t word) { std::memcpy(bytes_.data() + at, &word, 4); }
  void PutInput(std::size_t field, std::uint32_t word) { Put(kInputsAt + 4 + 4 * field, word); }

  std::vector<std::byte> bytes_ = test::GoldenFile("cnn_u55_128.blob");
  Blob blob_;
  BlobError error_;
};

TEST_F(BlobTest, ReadsWhatTheExporterWrote) {
  ASSERT_EQ(Parse(), Status::kOk) << error_.reason;
  EXPECT_EQ(blob_.payload.size(), 1356u);
  EXPECT_EQ(blob_.weights.size(), 2640u);
  EXPECT_EQ(blob_.weights.data(), bytes_.data() + 1568 - 112);
  EXPECT_EQ(blob_.sizes.bytes[kScratchRegion], 1280u);
  ASSERT_EQ(blob_.inputs.size(), 1u);
  EXPECT_EQ(blob_.inputs[0].offset, 1024u);
  EXPECT_EQ(blob_.inputs[0].size_bytes, 64u);
  ASSERT_EQ(blob_.outputs.size(), 1u);
  EXPECT_EQ(blob_.outputs[0].offset, 0u);
  EXPECT_EQ(blob_.outputs[0].size_bytes, 10u);
}

TEST_F(BlobTest, EveryTruncationIsRefused) {
  const std::vector<std::byte> whole = bytes_;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    // The vector has exactly this size, so a sanitizer detects any read beyond it.
    bytes_.assign(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    bytes_.shrink_to_fit();
    EXPECT_EQ(Parse(), Status::kBadModel) << size;
  }
}

TEST_F(BlobTest, EveryBlockLengthThatIsWrongIsRefused) {
  for (const std::uint32_t length : {0xFFFFFFFFu, 0xFFFFFFF0u, 0x80000000u, 4400u, 0u}) {
    bytes_ = test::GoldenFile("cnn_u55_128.blob");
    Put(kPayloadHeaderAt + 16, length);
    EXPECT_NE(Parse(), Status::kOk) << length;
  }
}

TEST_F(BlobTest, BytesAfterTheEndAreRefused) {
  bytes_.resize(bytes_.size() + 16);
  EXPECT_EQ(Parse(), Status::kBadModel);
}

TEST_F(BlobTest, BlockStoredElsewhereIsUnsupported) {
  bytes_[kPayloadHeaderAt + 20] = std::byte{1};
  EXPECT_EQ(Parse(), Status::kUnsupported);
  EXPECT_EQ(error_.offset, kPayloadHeaderAt);
}

TEST_F(BlobTest, UnknownBlockIsUnsupported) {
  bytes_[kPayloadHeaderAt] = std::byte{'x'};
  EXPECT_EQ(Parse(), Status::kUnsupported);
}

TEST_F(BlobTest, BlockThatOccursTwiceIsRefused) {
  std::memcpy(bytes_.data() + kOutputsAt - 32, "inputs\0", 8);
  EXPECT_EQ(Parse(), Status::kBadModel);
  EXPECT_STREQ(error_.reason, "block occurs twice");
}

TEST_F(BlobTest, MissingBlockIsRefused) {
  bytes_.erase(bytes_.begin() + kOutputsAt - 32, bytes_.begin() + kOutputsAt + 48);
  EXPECT_EQ(Parse(), Status::kBadModel);
  EXPECT_STREQ(error_.reason, "a block is missing");
}

TEST_F(BlobTest, TensorCountThatDisagreesWithTheBlockIsRefused) {
  for (const std::uint32_t count :
       {0u, 2u, 0xFFFFFFFFu, 0x71C71C72u}) {  // The last product overflows 32 bits.
    Put(kInputsAt, count);
    EXPECT_EQ(Parse(), Status::kBadModel) << count;
  }
}

TEST_F(BlobTest, InputThatReachesBeyondTheScratchIsRefused) {
  PutInput(7, 1280 - 63);
  EXPECT_EQ(Parse(), Status::kBadModel);
  PutInput(7, 1280 - 64);
  EXPECT_EQ(Parse(), Status::kOk);
  PutInput(7, 0xFFFFFFFF);
  EXPECT_EQ(Parse(), Status::kBadModel);
}

TEST_F(BlobTest, DimensionsWhoseProductOverflowsAreRefused) {
  for (std::size_t d = 0; d < 4; ++d)
    PutInput(d, 0x10000);  // The product is 2^64, or 0 in 64 bits.
  PutInput(4, 1);
  PutInput(5, 1);
  EXPECT_EQ(Parse(), Status::kBadModel);
}

TEST_F(BlobTest, ZeroAndNegativeDimensionsAreRefused) {
  PutInput(0, 0);
  EXPECT_EQ(Parse(), Status::kBadModel);
  PutInput(0, 0xFFFFFFFF);
  EXPECT_EQ(Parse(), Status::kBadModel);
}

TEST_F(BlobTest, TensorInARegionOfAnotherKindIsUnsupported) {
  for (const std::uint32_t region : {0u, 2u, 4u, 5u, 0xFFFFFFFFu}) {
    PutInput(8, region);
    EXPECT_EQ(Parse(), Status::kUnsupported) << region;
  }
  PutInput(8, 1);
  for (const std::uint32_t region : {0u, 2u, 3u, 5u, 0x80000000u}) {
    Put(kOutputsAt + 4 + 4 * 8, region);
    EXPECT_EQ(Parse(), Status::kUnsupported) << region;
  }
}

TEST_F(BlobTest, RegionsOfInputsAndOutputsEndWithTheirLastTensor) {
  PutInput(7, 4096);  // Beyond the scratch.
  PutInput(8, 3);
  Put(kOutputsAt + 4 + 4 * 7, 32);
  Put(kOutputsAt + 4 + 4 * 8, 4);
  ASSERT_EQ(Parse(), Status::kOk) << error_.reason;
  EXPECT_EQ(blob_.inputs.region(0), 3u);
  EXPECT_EQ(blob_.sizes.bytes[kInputRegion], 4096u + 64);
  EXPECT_EQ(blob_.sizes.bytes[kOutputRegion], 32u + 10);
  EXPECT_EQ(blob_.sizes.bytes[kScratchRegion], 1280u);
}

TEST_F(BlobTest, RegionOfInputsOfImpossibleSizeIsRefused) {
  PutInput(8, 3);
  PutInput(7, (1u << 30) - 64);
  EXPECT_EQ(Parse(), Status::kOk) << error_.reason;
  for (const std::uint32_t offset : {(1u << 30) - 63, 0xFFFFFFC0u, 0xFFFFFFFFu}) {
    PutInput(7, offset);
    EXPECT_EQ(Parse(), Status::kBadModel) << offset;
  }
}

TEST_F(BlobTest, ScratchSizeSmallerThanItsTensorsIsRefused) {
  Put(kScratchSizeAt, 1024);
  EXPECT_EQ(Parse(), Status::kBadModel);
}

TEST_F(BlobTest, ImpossibleScratchSizeIsRefused) {
  Put(kScratchSizeAt, 0xFFFFFFFF);  // On a 32-bit CPU, rounding up to a cache line gives 0.
  EXPECT_EQ(Parse(), Status::kBadModel);
}

TEST_F(BlobTest, BlobThatEndsInAPaddingIsRefused) {
  bytes_.resize(kOutputsAt + 44);
  bytes_.shrink_to_fit();
  EXPECT_EQ(Parse(), Status::kBadModel);
  EXPECT_STREQ(error_.reason, "block is not padded");
}

TEST_F(BlobTest, BlockWithoutATensorCountIsRefused) {
  bytes_.erase(bytes_.begin() + kInputsAt, bytes_.begin() + kInputsAt + 48);
  Put(kInputsAt - 16, 0);
  EXPECT_EQ(Parse(), Status::kBadModel);
  EXPECT_STREQ(error_.reason, "no tensor count");
}

TEST_F(BlobTest, ScratchSizeThatIsNoWordIsRefused) {
  Put(kScratchSizeAt - 16, 3);
  EXPECT_EQ(Parse(), Status::kBadModel);
  EXPECT_STREQ(error_.reason, "scratch size is not a word");
}

TEST_F(BlobTest, MoreTensorsThanAnyModelHasAreUnsupported) {
  constexpr std::uint32_t kCount = 65, kLength = 4 + kCount * 36;
  bytes_.insert(bytes_.begin() + kInputsAt + 40, (kLength + 15) / 16 * 16 - 48, std::byte{0});
  Put(kInputsAt - 16, kLength);
  Put(kInputsAt, kCount);
  EXPECT_EQ(Parse(), Status::kUnsupported);
  EXPECT_STREQ(error_.reason, "too many tensors");
}

TEST_F(BlobTest, ElementsOfNoSizeOrTooLargeAreRefused) {
  for (const std::uint32_t element_bytes : {0u, 9u, 0xFFFFFFFFu}) {
    PutInput(6, element_bytes);
    EXPECT_EQ(Parse(), Status::kBadModel);
    EXPECT_STREQ(error_.reason, "tensor element size");
  }
}

TEST_F(BlobTest, OverlappingInputsAreRefused) {
  // Makes a second input: its record overwrites the padding and the next block, which the test
  // then writes again.
  std::vector<std::byte> record(bytes_.begin() + kInputsAt + 4, bytes_.begin() + kInputsAt + 40);
  std::vector<std::byte> rest(bytes_.begin() + kInputsAt + 48, bytes_.end());
  bytes_.resize(kInputsAt + 40);
  bytes_.insert(bytes_.end(), record.begin(), record.end());
  bytes_.resize(kInputsAt + 80);
  bytes_.insert(bytes_.end(), rest.begin(), rest.end());
  Put(kInputsAt, 2);
  Put(kInputsAt - 16, 76);
  EXPECT_EQ(Parse(), Status::kBadModel);
  EXPECT_STREQ(error_.reason, "two inputs overlap");

  Put(kInputsAt + 40 + 4 * 7, 1024 + 64);  // Adjacent inputs are allowed.
  EXPECT_EQ(Parse(), Status::kOk) << error_.reason;

  Put(kInputsAt + 40 + 4 * 7, 1024);  // So are inputs at the same place of different regions.
  Put(kInputsAt + 40 + 4 * 8, 3);
  EXPECT_EQ(Parse(), Status::kOk) << error_.reason;
}

}  // namespace
}  // namespace pilotlight::ethos_u
