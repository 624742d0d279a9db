// SPDX-License-Identifier: Apache-2.0
//
// Bodies to bytes on the wire and back (SPEC.md, section 1). Knows nothing about
// what a message means or where bytes come from. No heap; thread context only.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pilotlight/base/span.h"
#include "pilotlight/protocol/message.h"

namespace pilotlight::protocol {

// Where encoded bytes go.
class ByteSink {
 public:
  virtual void Write(Span<const std::byte> bytes) = 0;

 protected:
  ~ByteSink() = default;
};

// Writes delimiter, COBS(body), delimiter. `body` is what BodyWriter::Finish()
// returned: COBS looks ahead in it, so no second buffer is needed.
void WriteFrame(Span<const std::byte> body, ByteSink& sink);

// An intact frame. `payload` lies in the decoder's buffer until the next Feed().
struct Frame {
  MessageType type;
  std::uint16_t sequence;
  Span<const std::byte> payload;
};

// Turns a byte stream into frames, one byte at a time. Whatever arrives, it
// recovers at the next delimiter.
class FrameDecoder {
 public:
  enum class Event : std::uint8_t { kNone, kFrame, kDamaged };

  // `buffer` holds one body and is borrowed for the decoder's life.
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
  std::uint8_t block_left_ = 0;  // Data bytes still to come in the current COBS block.
  bool started_ = false;         // A code byte was seen since the last delimiter.
  bool zero_pending_ =
      false;  // The block just ended stands for a zero, unless the frame ends here.
  bool overflowed_ = false;
  Frame frame_{};
  Damage damage_ = Damage::kNone;
};

}  // namespace pilotlight::protocol
