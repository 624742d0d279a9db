// SPDX-License-Identifier: Apache-2.0
#include "pilotlight/protocol/frame.h"

#include "pilotlight/base/crc32.h"

namespace pilotlight::protocol {
namespace {

constexpr std::byte kDelimiter{0};
constexpr std::size_t kMaxBlockBytes = 254;

}  // namespace

void WriteFrame(Span<const std::byte> body, ByteSink& sink) {
  sink.Write({&kDelimiter, 1});
  std::size_t at = 0;
  bool zero_was_last = false;
  while (at < body.size() || zero_was_last) {
    std::size_t length = 0;
    while (length < kMaxBlockBytes && at + length < body.size() &&
           body[at + length] != kDelimiter) {
      ++length;
    }
    const std::byte code = static_cast<std::byte>(length + 1);
    sink.Write({&code, 1});
    sink.Write(body.subspan(at, length));
    at += length;
    // A full block encodes no zero. Any other block also encodes the zero after its data.
    zero_was_last = length < kMaxBlockBytes && at < body.size();
    if (zero_was_last) ++at;
  }
  sink.Write({&kDelimiter, 1});
}

FrameDecoder::Event FrameDecoder::Feed(std::byte byte) {
  if (byte == kDelimiter) return EndOfFrame();
  if (block_left_ > 0) {
    Append(byte);
    --block_left_;
    return Event::kNone;
  }
  if (zero_pending_) Append(kDelimiter);
  started_ = true;
  block_left_ = static_cast<std::uint8_t>(std::to_integer<unsigned>(byte) - 1);
  zero_pending_ = std::to_integer<unsigned>(byte) <= kMaxBlockBytes;
  return Event::kNone;
}

void FrameDecoder::Append(std::byte byte) {
  if (size_ == buffer_.size()) {
    overflowed_ = true;
    return;
  }
  buffer_[size_++] = byte;
}

FrameDecoder::Event FrameDecoder::EndOfFrame() {
  if (!started_) return Event::kNone;
  damage_ = Check();
  if (damage_ == Damage::kNone) {
    PayloadReader header({buffer_.data(), kHeaderBytes});
    frame_.type = static_cast<MessageType>(header.U8());
    header.U8();  // Flags: 0, because Check() passed.
    frame_.sequence = header.U16();
    frame_.payload = {buffer_.data() + kHeaderBytes, size_ - kHeaderBytes - kCrcBytes};
  }
  Restart();
  return damage_ == Damage::kNone ? Event::kFrame : Event::kDamaged;
}

Damage FrameDecoder::Check() const {
  if (overflowed_) return Damage::kTooLong;
  if (block_left_ > 0) return Damage::kCobs;
  if (size_ < kHeaderBytes + kCrcBytes) return Damage::kTooShort;
  PayloadReader trailer({buffer_.data() + size_ - kCrcBytes, kCrcBytes});
  if (trailer.U32() != Crc32({buffer_.data(), size_ - kCrcBytes})) return Damage::kCrc;
  if (buffer_[1] != std::byte{0}) return Damage::kFlags;
  return Damage::kNone;
}

void FrameDecoder::Restart() {
  size_ = 0;
  block_left_ = 0;
  started_ = false;
  zero_pending_ = false;
  overflowed_ = false;
}

}  // namespace pilotlight::protocol
