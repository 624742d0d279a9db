// SPDX-License-Identifier: Apache-2.0
//
// Reads the files that golden_spotting.py wrote.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

std::vector<char> ReadGolden(const std::string& name);

template <typename T>
std::vector<T> Golden(const std::string& name) {
  const std::vector<char> bytes = ReadGolden(name);
  const T* const first = reinterpret_cast<const T*>(bytes.data());
  return {first, first + bytes.size() / sizeof(T)};
}
