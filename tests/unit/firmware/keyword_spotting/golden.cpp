// SPDX-License-Identifier: Apache-2.0
#include "golden.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

std::vector<char> ReadGolden(const std::string& name) {
  std::ifstream file(GOLDEN + name, std::ios::binary);
  EXPECT_TRUE(file) << name;
  return {std::istreambuf_iterator<char>(file), {}};
}
