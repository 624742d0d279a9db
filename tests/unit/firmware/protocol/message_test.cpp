// SPDX-License-Identifier: Apache-2.0
#include "pilotlight/protocol/message.h"

#include <gtest/gtest.h>

#include <string>

namespace pilotlight::protocol {
namespace {

TEST(PayloadReader, ReadsLittleEndianInOrder) {
  const std::byte bytes[] = {std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4},
                             std::byte{5}, std::byte{6}, std::byte{7}};
  PayloadReader reader(bytes);

  EXPECT_EQ(reader.U8(), 1u);
  EXPECT_EQ(reader.U16(), 0x0302u);
  EXPECT_EQ(reader.U32(), 0x07060504u);
  EXPECT_TRUE(reader.complete());
}

TEST(PayloadReader, PastTheEndIsZeroAndStaysAnError) {
  const std::byte bytes[] = {std::byte{1}, std::byte{2}};
  PayloadReader reader(bytes);

  EXPECT_EQ(reader.U32(), 0u);
  EXPECT_EQ(reader.U8(), 0u);
  EXPECT_FALSE(reader.ok());
}

TEST(PayloadReader, AfterAnErrorEvenBytesThatAreThereAreNotGiven) {
  const std::byte bytes[] = {std::byte{1}, std::byte{2}};
  PayloadReader reader(bytes);

  EXPECT_TRUE(reader.Bytes(3).empty());
  EXPECT_TRUE(reader.Bytes(1).empty());
  EXPECT_FALSE(reader.ok());
}

TEST(PayloadReader, AllThatIsLeftCanBeTakenAndNotOneMore) {
  const std::byte bytes[] = {std::byte{1}, std::byte{2}, std::byte{3}};
  PayloadReader all(bytes);
  all.U8();
  EXPECT_EQ(all.Bytes(2).size(), 2u);
  EXPECT_TRUE(all.complete());

  PayloadReader more(bytes);
  more.U8();
  EXPECT_TRUE(more.Bytes(3).empty());
  EXPECT_FALSE(more.ok());
}

TEST(PayloadReader, LeftOverBytesAreNotComplete) {
  const std::byte bytes[] = {std::byte{1}, std::byte{2}};
  PayloadReader reader(bytes);
  reader.U8();

  EXPECT_TRUE(reader.ok());
  EXPECT_FALSE(reader.complete());
}

TEST(BodyWriter, StringsAreCutNotOverrun) {
  std::byte buffer[256];
  BodyWriter body(buffer);
  body.Start(MessageType::kError, 1);
  const std::string longest(300, 'x');
  body.String(longest.c_str());
  body.String(nullptr);

  EXPECT_EQ(body.Finish().size(), kHeaderBytes + 1 + kMaxStringBytes + 1 + kCrcBytes);
}

TEST(BodyWriterDeathTest, FieldsThatDoNotFitAreOurOwnBug) {
  std::byte buffer[16];
  BodyWriter body(buffer);
  body.Start(MessageType::kError, 1);
  body.U64(0);

  EXPECT_DEATH(body.U8(0), "CHECK failed");
}

}  // namespace
}  // namespace pilotlight::protocol
