// SPDX-License-Identifier: Apache-2.0
#include "pilotlight/protocol/frame.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "golden_frames.h"
#include "pilotlight/base/crc32.h"

namespace pilotlight::protocol {
namespace {

using Bytes = std::vector<std::byte>;

struct RecordingSink final : ByteSink {
  void Write(Span<const std::byte> bytes) override {
    written.insert(written.end(), bytes.begin(), bytes.end());
  }
  Bytes written;
};

Bytes FromArray(const std::uint8_t* data, std::size_t size) {
  const auto* first = reinterpret_cast<const std::byte*>(data);
  return Bytes(first, first + size);
}

Bytes Encode(std::uint8_t type, std::uint16_t sequence, const Bytes& payload) {
  std::byte buffer[4096];
  BodyWriter body(buffer);
  body.Start(static_cast<MessageType>(type), sequence);
  body.Bytes({payload.data(), payload.size()});
  RecordingSink sink;
  WriteFrame(body.Finish(), sink);
  return sink.written;
}

struct Seen {
  int frames = 0;
  std::vector<Damage> damage;
  Bytes last_payload;
};

Seen Decode(FrameDecoder& decoder, const Bytes& wire) {
  Seen seen;
  for (const std::byte byte : wire) {
    const FrameDecoder::Event event = decoder.Feed(byte);
    if (event == FrameDecoder::Event::kDamaged) seen.damage.push_back(decoder.damage());
    if (event == FrameDecoder::Event::kFrame) {
      ++seen.frames;
      seen.last_payload.assign(decoder.frame().payload.begin(), decoder.frame().payload.end());
    }
  }
  return seen;
}

TEST(Frame, EncodesAsThePythonReferenceDoes) {
  for (const golden::Frame& expected : golden::kFrames) {
    const Bytes payload = FromArray(expected.payload, expected.payload_size);
    EXPECT_EQ(Encode(expected.type, expected.sequence, payload),
              FromArray(expected.wire, expected.wire_size))
        << expected.name;
  }
}

TEST(Frame, DecodesWhatThePythonReferenceEncodes) {
  std::byte buffer[2048];
  FrameDecoder decoder(buffer);
  for (const golden::Frame& expected : golden::kFrames) {
    const Seen seen = Decode(decoder, FromArray(expected.wire, expected.wire_size));
    EXPECT_EQ(seen.frames, 1) << expected.name;
    EXPECT_TRUE(seen.damage.empty()) << expected.name;
    EXPECT_EQ(seen.last_payload, FromArray(expected.payload, expected.payload_size))
        << expected.name;
    EXPECT_EQ(static_cast<std::uint8_t>(decoder.frame().type), expected.type) << expected.name;
    EXPECT_EQ(decoder.frame().sequence, expected.sequence) << expected.name;
  }
}

TEST(Frame, AnyFlippedBitIsDamageOrNothing) {
  const golden::Frame& whole = golden::kFrames[9];
  std::byte buffer[2048];
  for (std::size_t bit = 0; bit < whole.wire_size * 8; ++bit) {
    Bytes wire = FromArray(whole.wire, whole.wire_size);
    wire[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
    FrameDecoder decoder(buffer);
    const Seen seen = Decode(decoder, wire);
    // If the bit is in the delimiter before the frame, the frame stays intact or is damaged.
    if (bit < 8) continue;
    EXPECT_EQ(seen.frames, 0) << "bit " << bit;
  }
}

TEST(Frame, DecoderRecoversAfterAnyGarbage) {
  std::mt19937 random(1);
  std::byte buffer[300];
  FrameDecoder decoder(buffer);
  const Bytes good = Encode(0x01, 5, Bytes(100, std::byte{9}));
  for (int round = 0; round < 2000; ++round) {
    Bytes garbage(random() % 700);
    for (std::byte& byte : garbage) byte = static_cast<std::byte>(random() & 0xFFu);
    EXPECT_EQ(Decode(decoder, garbage).frames, 0);
    EXPECT_EQ(Decode(decoder, good).frames, 1) << "round " << round;
  }
}

TEST(Frame, TruncatedFrameIsDamagedAndTheNextIsIntact) {
  std::byte buffer[300];
  const Bytes good = Encode(0x01, 5, Bytes(100, std::byte{9}));
  for (std::size_t cut = 1; cut + 1 < good.size(); ++cut) {
    FrameDecoder decoder(buffer);
    Bytes wire(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(cut));
    wire.insert(wire.end(), good.begin(), good.end());
    const Seen seen = Decode(decoder, wire);
    EXPECT_EQ(seen.frames, 1) << "cut at " << cut;
    EXPECT_EQ(seen.damage.size(), cut == 1 ? 0u : 1u) << "cut at " << cut;
  }
}

TEST(Frame, DamageNamesItsReason) {
  std::byte buffer[64];
  const auto damage_of = [&buffer](Bytes wire) {
    FrameDecoder decoder(buffer);
    return Decode(decoder, wire).damage;
  };
  using Reasons = std::vector<Damage>;
  const std::byte zero{0};

  EXPECT_EQ(damage_of({std::byte{9}, std::byte{1}, zero}), Reasons{Damage::kCobs});
  EXPECT_EQ(damage_of({std::byte{2}, std::byte{1}, zero}), Reasons{Damage::kTooShort});
  EXPECT_EQ(damage_of(Encode(1, 1, Bytes(80, std::byte{3}))), Reasons{Damage::kTooLong});
  Bytes wrong_crc = Encode(1, 1, Bytes(8, std::byte{3}));
  wrong_crc[6] ^= std::byte{0x40};
  EXPECT_EQ(damage_of(wrong_crc), Reasons{Damage::kCrc});
}

TEST(Frame, FlagsOfALaterVersionAreRefused) {
  std::byte body[12] = {std::byte{1}, std::byte{1}};
  const std::uint32_t crc = Crc32({body, 8});
  std::memcpy(body + 8, &crc, sizeof crc);
  RecordingSink sink;
  WriteFrame(body, sink);
  std::byte buffer[64];
  FrameDecoder decoder(buffer);

  EXPECT_EQ(Decode(decoder, sink.written).damage, std::vector<Damage>{Damage::kFlags});
}

TEST(Frame, EmptyFramesAreSkippedWithoutAWord) {
  std::byte buffer[64];
  FrameDecoder decoder(buffer);
  const Seen seen = Decode(decoder, Bytes(10, std::byte{0}));

  EXPECT_EQ(seen.frames, 0);
  EXPECT_TRUE(seen.damage.empty());
}

// Catalogues of CRCs list the CRC of "123456789" as the check value.
TEST(Crc32, MatchesTheCatalogueAndContinues) {
  const char* digits = "123456789";
  const auto* bytes = reinterpret_cast<const std::byte*>(digits);

  EXPECT_EQ(Crc32({bytes, 9}), 0xCBF43926u);
  EXPECT_EQ(Crc32({bytes + 4, 5}, Crc32({bytes, 4})), 0xCBF43926u);
  EXPECT_EQ(Crc32({}), 0u);
}

}  // namespace
}  // namespace pilotlight::protocol
