// SPDX-License-Identifier: Apache-2.0
#include "transcript.h"

#include <cstring>

namespace conformance {

Transcript& Transcript::operator<<(std::string_view text) {
  if (muted_) return *this;
  for (const char c : text) {
    if (used_ == sizeof buffer_) Flush();
    buffer_[used_++] = c;
  }
  return *this;
}

Transcript& Transcript::operator<<(executorch::runtime::Error error) {
  return Hex(static_cast<std::uint32_t>(error));
}

Transcript& Transcript::operator<<(double value) {
  std::uint64_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return Hex(bits);
}

Transcript& Transcript::Hex(std::uint64_t value) {
  char digits[19] = "0x";
  std::size_t count = 2;
  unsigned shift = 60;
  while (shift > 0 && value >> shift == 0) shift -= 4;
  for (;; shift -= 4) {
    digits[count++] = "0123456789abcdef"[value >> shift & 0xF];
    if (shift == 0) return *this << std::string_view(digits, count);
  }
}

Transcript& Transcript::HexBytes(const void* data, std::size_t size_bytes) {
  const auto* bytes = static_cast<const std::uint8_t*>(data);
  for (std::size_t i = 0; i < size_bytes; ++i) {
    const char digits[2] = {"0123456789abcdef"[bytes[i] >> 4], "0123456789abcdef"[bytes[i] & 0xF]};
    *this << std::string_view(digits, 2);
  }
  return *this;
}

Transcript& Transcript::Decimal(std::uint64_t magnitude, bool negative) {
  char digits[20];
  std::size_t next = sizeof digits;
  do {
    digits[--next] = static_cast<char>('0' + magnitude % 10);
    magnitude /= 10;
  } while (magnitude != 0);
  if (negative) *this << "-";
  return *this << std::string_view(digits + next, sizeof digits - next);
}

void Transcript::Flush() {
  sink_(buffer_, used_);
  used_ = 0;
}

std::uint32_t Hash(const void* data, std::size_t size_bytes, std::uint32_t hash) {
  const auto* bytes = static_cast<const std::uint8_t*>(data);
  for (std::size_t i = 0; i < size_bytes; ++i) hash = (hash ^ bytes[i]) * 16777619u;
  return hash;
}

}  // namespace conformance
