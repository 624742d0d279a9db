// SPDX-License-Identifier: Apache-2.0
#include "log_format.h"

#include <gtest/gtest.h>

#include <cinttypes>
#include <cstdarg>
#include <cstdio>
#include <string>

namespace pilotlight::executorch_runtime {
namespace {

[[gnu::format(printf, 2, 3)]] std::string Format(std::size_t size_bytes, const char* format, ...) {
  std::string out(size_bytes, '#');
  va_list args;
  va_start(args, format);
  const std::size_t length = FormatLog(out.data(), size_bytes, format, args);
  va_end(args);
  EXPECT_EQ(out[length], '\0');
  return out.substr(0, length);
}

[[gnu::format(printf, 1, 2)]] std::string AsTheHostDoes(const char* format, ...) {
  char out[256];
  va_list args;
  va_start(args, format);
  std::vsnprintf(out, sizeof(out), format, args);
  va_end(args);
  return out;
}

// The C library of the host is the reference.
#define EXPECT_SAME(...) EXPECT_EQ(Format(256, __VA_ARGS__), AsTheHostDoes(__VA_ARGS__))

TEST(LogFormat, PrintsWhatTheHostsPrintfPrints) {
  EXPECT_SAME("plain text");
  EXPECT_SAME("%d %i %u %x", -1, 42, 4000000000u, 0xbeefu);
  EXPECT_SAME("%zu of %zd", SIZE_MAX, static_cast<ssize_t>(-5));
  EXPECT_SAME("%" PRId64 " %" PRIu64 " %" PRIu32, INT64_MIN, UINT64_MAX, UINT32_MAX);
  EXPECT_SAME("%ld %lu %lld %llu", -3l, 3ul, -(1ll << 40), 1ull << 63);
  EXPECT_SAME("%hhu %hd", static_cast<unsigned char>(200), static_cast<short>(-2));
  EXPECT_SAME("%s|%.4s|%.*s|%8s|%-8s|", "text", "identifier", 2, "xyz", "right", "left");
  EXPECT_SAME("%5d|%-5d|%05d|%c|%%", 42, 42, 42, 'z');
  EXPECT_SAME("%9d|%19d|%09u|%.9s|%.10s|", 42, 42, 42u, "0123456789ab", "0123456789ab");
  EXPECT_SAME("%p", reinterpret_cast<void*>(0x1234));
}

TEST(LogFormat, AMessageThatDoesNotFitEndsInADollar) {
  EXPECT_EQ(Format(8, "%s", "1234567"), "1234567");
  EXPECT_EQ(Format(8, "%s", "12345678"), "123456$");
  EXPECT_EQ(Format(2, "%d", 12345), "$");
}

TEST(LogFormat, ANullStringIsNamedSo) {
  const char* volatile nothing = nullptr;
  EXPECT_EQ(Format(32, "%s", nothing), "(null)");
}

TEST(LogFormat, FloatingPointTakesItsArgument) { EXPECT_EQ(Format(32, "%f %d", 1.5, 7), "? 7"); }

}  // namespace
}  // namespace pilotlight::executorch_runtime
