// SPDX-License-Identifier: Apache-2.0
//
// The text that the probe writes. The text is the same on every machine: it has no pointers, and no
// printf writes it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include <executorch/runtime/core/error.h>

namespace conformance {

class Transcript {
 public:
  using Sink = void (*)(const char* text, std::size_t length);

  explicit Transcript(Sink sink) : sink_(sink) {}

  Transcript& operator<<(std::string_view text);
  Transcript& operator<<(const char* text) { return *this << std::string_view(text); }
  Transcript& operator<<(executorch::runtime::Error error);
  Transcript& operator<<(bool value) { return *this << (value ? "true" : "false"); }
  // Writes the bits, so nothing is rounded.
  Transcript& operator<<(double value);

  template <typename T,
            std::enable_if_t<std::is_integral_v<T> && !std::is_same_v<T, bool>, int> = 0>
  Transcript& operator<<(T value) {
    const bool negative = std::is_signed_v<T> && value < 0;
    const auto bits = static_cast<std::uint64_t>(value);
    return Decimal(negative ? ~bits + 1 : bits, negative);
  }

  Transcript& Hex(std::uint64_t value);
  Transcript& HexBytes(const void* data, std::size_t size_bytes);
  void Flush();
  // Text that is written while muted is lost.
  void Mute(bool muted) { muted_ = muted; }

 private:
  Transcript& Decimal(std::uint64_t magnitude, bool negative);

  Sink sink_;
  bool muted_ = false;
  std::size_t used_ = 0;
  char buffer_[4096];
};

// The transcript of the whole probe; defined by the machine's main.cpp.
extern Transcript out;

std::uint32_t Hash(const void* data, std::size_t size_bytes, std::uint32_t hash = 2166136261u);

}  // namespace conformance
