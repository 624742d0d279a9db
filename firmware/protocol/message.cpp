// SPDX-License-Identifier: Apache-2.0
#include "pilotlight/protocol/message.h"

#include <cstring>

#include "pilotlight/base/check.h"
#include "pilotlight/base/crc32.h"

namespace pilotlight::protocol {

Span<const std::byte> PayloadReader::Bytes(std::size_t count) {
  if (!ok_ || count > payload_.size() - at_) {
    ok_ = false;
    return {};
  }
  const Span<const std::byte> bytes = payload_.subspan(at_, count);
  at_ += count;
  return bytes;
}

std::uint32_t PayloadReader::Little(std::size_t count) {
  const Span<const std::byte> bytes = Bytes(count);
  std::uint32_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) {
    value = value << 8 | std::to_integer<std::uint32_t>(bytes[i]);
  }
  return value;
}

void BodyWriter::Start(MessageType type, std::uint16_t sequence) {
  size_ = 0;
  U8(static_cast<std::uint8_t>(type));
  U8(0);
  U16(sequence);
}

void BodyWriter::F32(float value) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  U32(bits);
}

void BodyWriter::Bytes(Span<const std::byte> bytes) {
  PILOTLIGHT_CHECK(bytes.size() + kCrcBytes <= buffer_.size() - size_);
  if (bytes.empty()) return;
  std::memcpy(buffer_.data() + size_, bytes.data(), bytes.size());
  size_ += bytes.size();
}

void BodyWriter::String(const char* text) {
  std::size_t length = 0;
  while (text != nullptr && length < kMaxStringBytes && text[length] != '\0') ++length;
  U8(static_cast<std::uint8_t>(length));
  Bytes({reinterpret_cast<const std::byte*>(text), length});
}

Span<const std::byte> BodyWriter::Finish() {
  const std::uint32_t crc = Crc32({buffer_.data(), size_});
  for (std::size_t i = 0; i < kCrcBytes; ++i) {
    buffer_[size_++] = static_cast<std::byte>(crc >> (8 * i) & 0xFFu);
  }
  return {buffer_.data(), size_};
}

void BodyWriter::Little(std::uint64_t value, std::size_t count) {
  PILOTLIGHT_CHECK(count + kCrcBytes <= buffer_.size() - size_);
  for (std::size_t i = 0; i < count; ++i) {
    buffer_[size_++] = static_cast<std::byte>(value >> (8 * i) & 0xFFu);
  }
}

}  // namespace pilotlight::protocol
