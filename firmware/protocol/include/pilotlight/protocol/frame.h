// SPDX-License-Identifier: Apache-2.0
//
// Encodes bodies as frames and decodes frames (SPEC.md, section 1). This code does not know what a
// message means or where bytes come from. No heap; thread context only.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pilotlight/base/span.h"
#include "pilotlight/protocol/message.h"

namespace pilotlight::protocol {

// Receives encoded bytes.
class ByteSink {
 public:
  virtual void Write(Span<const std::byte> bytes) = 0;

 protected:
  ~ByteSink() = default;
};

// Writes delimiter, COBS(body), delimiter. `body` is the result of BodyWriter::Finish(). COBS looks
// ahead in the body, so this needs no second buffer.
void WriteFrame(Span<const std::byte> body, ByteSink& sink);

// An intact frame. `payload` points into the decoder's buffer and is valid until the next
// Feed().
struct Frame {
  MessageType type;
  std::uint16_t sequence;
  Span<const std::byte> payload;
};

// Decodes a byte stream into frames, one byte at a time. After any damage, the decoder recovers at
// the next delimiter.
class FrameDecoder {
 public:
  enum class Event : std::uint8_t { kNone, kFrame, kDamaged };

  // `buffer` holds one body. It is borrowed for the life of the decoder.
  explicit FrameDecoder(Span<std::byte> buffer) : buffer_(buffer) {}

  // kFrame: frame() is valid. kDamaged: damage() says why.
  Event Feed(std::byte byte);

  const Frame& frame() const { return frame_; }
  Damage damage() const { return damage_; }

 private:
  void Append(std::byte byte);
  Event EndOfFrame();
  Damage Check() const;
  void Restart();

  Span<std::byte> buffer_;
  std::size_t size_ = 0;
  std::uint8_t block_left_ = 0;  // Data bytes that are missing in the current COBS block.
  bool started_ = false;         // A code byte has arrived since the last delimiter.
  // The current block ends with a zero, unless the frame ends with it.
  bool zero_pending_ = false;
  bool overflowed_ = false;
  Frame frame_{};
  Damage damage_ = Damage::kNone;
};

}  // namespace pilotlight::protocol
