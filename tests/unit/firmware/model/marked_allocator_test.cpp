// SPDX-License-Identifier: Apache-2.0
#include "pilotlight/model/marked_allocator.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>

#include <executorch/runtime/platform/platform.h>

namespace pilotlight::model {
namespace {

int log_lines = 0;

void Count(et_timestamp_t, et_pal_log_level_t, const char*, const char*, std::size_t, const char*,
           std::size_t) {
  ++log_lines;
}

class MarkedAllocatorTest : public testing::Test {
 protected:
  static constexpr std::size_t kPadding = 15;  // After one byte, up to the next multiple of 16.

  MarkedAllocatorTest() {
    executorch::runtime::register_pal(executorch::runtime::PalImpl::create(Count, __FILE__));
    log_lines = 0;
    EXPECT_NE(allocator_.allocate(1, 1), nullptr);
  }

  alignas(16) std::uint8_t memory_[64] = {};
  MarkedAllocator allocator_{sizeof(memory_), memory_};
};

TEST_F(MarkedAllocatorTest, GivesTheLastByte) {
  EXPECT_EQ(allocator_.allocate(sizeof(memory_) - 1 - kPadding, 16), memory_ + 16);
  EXPECT_EQ(allocator_.refused_bytes(), 0u);
  EXPECT_EQ(allocator_.high_water_bytes(), sizeof(memory_));
}

// The caller logs a refusal in the user's words. The base class would add its own line.
TEST_F(MarkedAllocatorTest, RefusesWithoutALineInTheLog) {
  const std::size_t free = sizeof(memory_) - 1;
  for (std::size_t size = free - kPadding + 1; size <= free + kPadding + 1; ++size) {
    EXPECT_EQ(allocator_.allocate(size, 16), nullptr) << size;
    EXPECT_EQ(allocator_.refused_bytes(), size);
  }
  EXPECT_EQ(log_lines, 0);
  EXPECT_EQ(allocator_.high_water_bytes(), 1u);
}

}  // namespace
}  // namespace pilotlight::model
