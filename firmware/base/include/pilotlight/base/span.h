// SPDX-License-Identifier: Apache-2.0
//
// A pointer and a count that belong together, like std::span in C++20.
#pragma once

#include <cstddef>

namespace pilotlight {

template <typename T>
class Span {
 public:
  constexpr Span() = default;
  constexpr Span(T* data, std::size_t size) : data_(data), size_(size) {}
  template <std::size_t N>
  constexpr Span(T (&array)[N]) : data_(array), size_(N) {}  // NOLINT: implicit by design

  // Converts Span<T> to Span<const T>.
  constexpr operator Span<const T>() const { return {data_, size_}; }  // NOLINT: implicit by design

  constexpr T* data() const { return data_; }
  constexpr std::size_t size() const { return size_; }
  constexpr bool empty() const { return size_ == 0; }
  constexpr T* begin() const { return data_; }
  constexpr T* end() const { return data_ + size_; }
  constexpr T& operator[](std::size_t i) const { return data_[i]; }

  // The `count` elements starting at `offset`. The caller has checked that these elements exist.
  constexpr Span subspan(std::size_t offset, std::size_t count) const {
    return {data_ + offset, count};
  }

 private:
  T* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace pilotlight
