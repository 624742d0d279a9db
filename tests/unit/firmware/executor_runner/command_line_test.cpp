// SPDX-License-Identifier: Apache-2.0
#include "command_line.h"

#include <gtest/gtest.h>

#include <string>

namespace pilotlight::executor_runner {
namespace {

TEST(CommandLine, UpstreamsIsUnderstood) {
  char text[] = "executor_runner -m program.pte -o out -i i0.bin -i i1.bin";
  CommandLine line;
  ASSERT_EQ(Parse(text, line), nullptr);
  EXPECT_STREQ(line.program, "program.pte");
  EXPECT_STREQ(line.output, "out");
  ASSERT_EQ(line.input_count, 2u);
  EXPECT_STREQ(line.inputs[0], "i0.bin");
  EXPECT_STREQ(line.inputs[1], "i1.bin");
}

TEST(CommandLine, ProgramWithoutInputsNeedsNone) {
  char text[] = "executor_runner  -o out   -m program.pte ";
  CommandLine line;
  ASSERT_EQ(Parse(text, line), nullptr);
  EXPECT_EQ(line.input_count, 0u);
  EXPECT_STREQ(line.program, "program.pte");
}

TEST(CommandLine, WhatIsMissingIsNamed) {
  CommandLine line;
  char empty[] = "";
  EXPECT_STREQ(Parse(empty, line), "no -m PROGRAM");
  char no_output[] = "executor_runner -m program.pte";
  EXPECT_STREQ(Parse(no_output, line), "no -o OUTPUT");
  char no_value[] = "executor_runner -o out -m";
  EXPECT_STREQ(Parse(no_value, line), "an option has no value");
}

TEST(CommandLine, UnknownOptionIsRefused) {
  char text[] = "executor_runner -m program.pte -o out -x 1";
  CommandLine line;
  EXPECT_STREQ(Parse(text, line), "an option is not -m, -o or -i");
}

TEST(CommandLine, NoMoreInputsThanThereIsRoomFor) {
  std::string text = "executor_runner -m p -o o";
  for (std::size_t i = 0; i < kMaxInputs; ++i) text += " -i x";
  CommandLine line;
  std::string full = text;
  EXPECT_EQ(Parse(full.data(), line), nullptr);
  EXPECT_EQ(line.input_count, kMaxInputs);
  text += " -i x";
  EXPECT_STREQ(Parse(text.data(), line), "more than 64 inputs");
}

}  // namespace
}  // namespace pilotlight::executor_runner
