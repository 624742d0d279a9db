// SPDX-License-Identifier: Apache-2.0
//
// The numbers of SPEC.md, and access to the fields of a payload with bounds checks.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pilotlight/base/span.h"

namespace pilotlight::protocol {

inline constexpr std::uint16_t kProtocolVersion = 4;
inline constexpr std::size_t kHeaderBytes = 4;
inline constexpr std::size_t kCrcBytes = 4;
inline constexpr std::size_t kNonceBytes = 16;
inline constexpr std::size_t kSha256Bytes = 32;

// The most bytes of a body in addition to its chunk.
inline constexpr std::size_t kBodyOverheadBytes = 64;

// The longest string that the device sends. With this limit, every answer without a chunk
// fits into kMinBodyBytes.
inline constexpr std::size_t kMaxStringBytes = 191;
inline constexpr std::size_t kMinBodyBytes = 896;

inline constexpr std::uint32_t kResetMagic = 0x54455352u;  // "RSET"

enum class MessageType : std::uint8_t {
  kIdentify = 0x01,
  kDescribeModel = 0x02,
  kDescribeTensor = 0x03,
  kSetInput = 0x04,
  kRun = 0x05,
  kReadOutput = 0x06,
  kStatistics = 0x07,
  kEnd = 0x08,
  kReset = 0x09,
  kReadFault = 0x0A,
  kDescribeTie = 0x0B,
  kLog = 0xC0,
  kBoot = 0xC1,
  kNak = 0xC2,
  kError = 0xFF,
};

constexpr MessageType AnswerTo(MessageType request) {
  return static_cast<MessageType>(static_cast<std::uint8_t>(request) | 0x80u);
}

// Why a frame is damaged; a field of NAK.
enum class Damage : std::uint8_t {
  kNone = 0,
  kCobs = 1,
  kTooLong = 2,
  kTooShort = 3,
  kCrc = 4,
  kFlags = 5,
};

// Why a request was refused; a field of ERROR.
enum class ErrorReason : std::uint8_t {
  kUnknownRequest = 1,
  kBadPayload = 2,
  kNoSession = 3,
  kOutOfRange = 4,
  kNothingToRead = 5,
  kInputIncomplete = 6,
  kRunNumber = 7,
  kNotOpen = 8,
};

// Reads fields in order. A read past the end returns zeros, and ok() stays false from then on.
// So a caller checks only once, after the last field.
class PayloadReader {
 public:
  explicit PayloadReader(Span<const std::byte> payload) : payload_(payload) {}

  std::uint8_t U8() { return static_cast<std::uint8_t>(Little(1)); }
  std::uint16_t U16() { return static_cast<std::uint16_t>(Little(2)); }
  std::uint32_t U32() { return Little(4); }
  Span<const std::byte> Bytes(std::size_t count);
  Span<const std::byte> Rest() { return Bytes(payload_.size() - at_); }

  bool ok() const { return ok_; }
  // All fields were present, and no bytes are left.
  bool complete() const { return ok_ && at_ == payload_.size(); }

 private:
  std::uint32_t Little(std::size_t count);

  Span<const std::byte> payload_;
  std::size_t at_ = 0;
  bool ok_ = true;
};

// Composes one body in a borrowed buffer: Start(), fields, Finish(). The owner must make the
// buffer large enough for the longest message. Fields that do not fit are our own bug (CHECK).
class BodyWriter {
 public:
  explicit BodyWriter(Span<std::byte> buffer) : buffer_(buffer) {}

  void Start(MessageType type, std::uint16_t sequence);
  void U8(std::uint8_t value) { Little(value, 1); }
  void U16(std::uint16_t value) { Little(value, 2); }
  void U32(std::uint32_t value) { Little(value, 4); }
  void U64(std::uint64_t value) { Little(value, 8); }
  void F32(float value);
  void Bytes(Span<const std::byte> bytes);
  // nullptr means the empty string. Longer strings are cut at kMaxStringBytes.
  void String(const char* text);

  // Appends the CRC and returns the body, which is valid until the next Start().
  Span<const std::byte> Finish();

 private:
  void Little(std::uint64_t value, std::size_t count);

  Span<std::byte> buffer_;
  std::size_t size_ = 0;
};

}  // namespace pilotlight::protocol
