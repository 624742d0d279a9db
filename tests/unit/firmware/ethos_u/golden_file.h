// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace pilotlight::test {

// The bytes of data/`name` (data/README.md).
inline std::vector<std::byte> GoldenFile(const std::string& name) {
  const auto path = std::filesystem::path(PILOTLIGHT_GOLDEN_FOLDER) / name;
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.good()) << path;
  std::vector<std::byte> bytes(std::filesystem::file_size(path));
  file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  return bytes;
}

}  // namespace pilotlight::test
