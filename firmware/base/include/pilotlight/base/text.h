// SPDX-License-Identifier: Apache-2.0
//
// Builds one line of text in a fixed buffer. newlib's printf would add some 20 KiB of code to an
// image that uses it nowhere else.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pilotlight/base/span.h"

namespace pilotlight {

// Text that does not fit is cut. The buffer is always NUL-terminated.
class Text {
 public:
  explicit Text(Span<char> into) : into_(into) {
    if (!into_.empty()) into_[0] = '\0';
  }

  Text& operator<<(const char* text) {
    for (; *text != '\0'; ++text) Append(*text);
    return *this;
  }

  Text& operator<<(std::uint64_t number) {
    char digits[20];
    std::size_t count = 0;
    do {
      digits[count++] = static_cast<char>('0' + number % 10);
      number /= 10;
    } while (number != 0);
    while (count != 0) Append(digits[--count]);
    return *this;
  }

  Text& Hex(std::uint64_t number) {
    *this << "0x";
    unsigned shift = number >> 32 != 0 ? 60 : 28;
    for (;; shift -= 4) {
      Append("0123456789abcdef"[(number >> shift) & 0xF]);
      if (shift == 0) return *this;
    }
  }

  std::size_t size() const { return size_; }

 private:
  void Append(char c) {
    if (size_ + 1 >= into_.size()) return;
    into_[size_++] = c;
    into_[size_] = '\0';
  }

  Span<char> into_;
  std::size_t size_ = 0;
};

}  // namespace pilotlight
