// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstddef>
#include <string>

#include "signature_check.h"

namespace pilotlight::executorch_runtime {
namespace {

using executorch::runtime::Tag;

// The text for `room` bytes. Bytes behind the room must stay as they are.
std::string Describe(Kinds kinds, std::size_t room) {
  std::string text(64, '#');
  DescribeKinds(kinds, text.data(), room);
  EXPECT_EQ(text.substr(room), std::string(text.size() - room, '#')) << room;
  return text.c_str();
}

TEST(SignatureText, NamesEachKind) {
  EXPECT_EQ(Describe(KindOf(Tag::Int), 40), "Int");
  EXPECT_EQ(Describe(KindOf(Tag::Tensor) | KindOf(Tag::Double), 40), "Tensor or Double");
}

TEST(SignatureText, EndsWithinItsRoom) {
  const Kinds kinds = KindOf(Tag::Tensor) | KindOf(Tag::Double);
  const std::string whole = Describe(kinds, 40);
  for (std::size_t room = 1; room <= whole.size() + 1; ++room) {
    const std::string text = Describe(kinds, room);
    EXPECT_LT(text.size(), room);
    EXPECT_EQ(text, whole.substr(0, text.size()));
  }
  EXPECT_EQ(Describe(kinds, whole.size() + 1), whole);
}

}  // namespace
}  // namespace pilotlight::executorch_runtime
