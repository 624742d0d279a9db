// SPDX-License-Identifier: Apache-2.0
//
// Input: the first byte says how the rest is read.
//   even   bytes as they come over the wire
//   odd    messages (u8 type, u16 length, payload). They are framed here, because mutated frames
//          would fail the CRC.
// Both kinds of input go to a bare decoder with a small buffer and, in pieces, to the server of the
// check app.
#include <cstdio>
#include <cstring>
#include <vector>

#include "heap_memory.h"
#include "pilotlight/protocol/frame.h"
#include "pilotlight/protocol/message.h"
#include "server.h"
#include "target.h"

namespace pilotlight::fuzz {
namespace {

using protocol::BodyWriter;
using protocol::Frame;
using protocol::FrameDecoder;
using protocol::MessageType;
using protocol::PayloadReader;
using Bytes = std::vector<std::byte>;

constexpr std::uint32_t kInputBytes = 24;
constexpr std::uint32_t kOutputBytes = 12;

char last_outcome[64] = "";

// Input and output are separate heap blocks, so that a sanitizer sees their ends.
class FakeModel final : public check::ModelPort {
 public:
  FakeModel() : input_(kInputBytes), output_(kOutputBytes) {
    about_.name = "fuzz";
    about_.pte = pte_;
    about_.pte_size_bytes = sizeof pte_;
    about_.npu_config = "ethos-u55-128";
    about_.inputs = &input_info_;
    about_.input_count = 1;
    about_.outputs = &output_info_;
    about_.output_count = 1;
  }
  virtual ~FakeModel() = default;
  const pilotlight_model_descriptor_t& descriptor() const override { return about_; }
  Status status() const override { return Status::kOk; }
  const char* status_text() const override { return ""; }
  Span<std::byte> Input(std::uint32_t) override { return {input_.data(), input_.size()}; }
  Span<const std::byte> Output(std::uint32_t) override { return {output_.data(), output_.size()}; }
  void Poison(std::byte pattern) override {
    for (std::byte& byte : input_) byte = pattern;
    for (std::byte& byte : output_) byte = pattern;
  }
  void ResetState() override {}
  Status Run(std::uint32_t) override {
    std::memcpy(output_.data(), input_.data(), output_.size());
    return Status::kOk;
  }
  const char* failure() const override { return ""; }
  pilotlight_statistics_t Statistics() const override { return {}; }

 private:
  Bytes input_;
  Bytes output_;
  const std::uint8_t pte_[4] = {'p', 't', 'e', '!'};
  const pilotlight_tensor_info_t input_info_ = {"x", PILOTLIGHT_INT8, 1, {kInputBytes}, {0}, 0.5f,
                                                -3,  kInputBytes};
  const pilotlight_tensor_info_t output_info_ = {"y", PILOTLIGHT_INT8, 1, {kOutputBytes}, {0}, 0.5f,
                                                 -3,  kOutputBytes};
  pilotlight_model_descriptor_t about_{};
};

struct FakeDevice final : check::Device {
  std::uint64_t NowUs() override { return 5000; }
  std::uint64_t CpuCycles() override { return 0; }
  pilotlight_pool_use_t Stack() override { return {100, 200}; }
  std::uint32_t ConsoleOverruns() override { return 0; }
};

// The server must send intact frames, whatever it received.
struct AnswerSink final : protocol::ByteSink {
  AnswerSink() : buffer(check::kBodyBytes), decoder({buffer.data(), buffer.size()}) {}
  void Write(Span<const std::byte> bytes) override {
    for (const std::byte byte : bytes) {
      const FrameDecoder::Event event = decoder.Feed(byte);
      if (event == FrameDecoder::Event::kDamaged) Violation("the server sent a damaged frame");
      if (event == FrameDecoder::Event::kFrame) ++answers;
    }
  }
  Bytes buffer;
  FrameDecoder decoder;
  unsigned answers = 0;
};

struct Wire final : protocol::ByteSink {
  void Write(Span<const std::byte> written) override {
    bytes.insert(bytes.end(), written.begin(), written.end());
  }
  Bytes bytes;
};

// Returns the messages in `input` as frames. A payload is cut to the size that one body can hold.
Bytes FrameMessages(Span<const std::byte> input) {
  Wire wire;
  Bytes body(check::kBodyBytes);
  PayloadReader reader(input);
  for (std::uint16_t sequence = 0; sequence < 64; ++sequence) {
    const auto type = static_cast<MessageType>(reader.U8());
    std::size_t length = reader.U16();
    if (!reader.ok()) break;
    constexpr std::size_t kMaxPayload =
        check::kBodyBytes - protocol::kHeaderBytes - protocol::kCrcBytes;
    if (length > kMaxPayload) length %= kMaxPayload;
    Span<const std::byte> payload = reader.Bytes(length);
    BodyWriter writer({body.data(), body.size()});
    writer.Start(type, sequence);
    writer.Bytes(payload);
    protocol::WriteFrame(writer.Finish(), wire);
  }
  return wire.bytes;
}

// Reads a payload as the message decoders do, in several widths.
void ReadFields(Span<const std::byte> payload) {
  PayloadReader reader(payload);
  std::size_t taken = 0;
  for (unsigned i = 0; reader.ok() && i < 8; ++i) {
    switch (i % 4) {
      case 0:
        taken += reader.Bytes(reader.U8()).size();
        break;
      case 1:
        taken += reader.U16() & 1u;
        break;
      case 2:
        taken += reader.U32() & 1u;
        break;
      default:
        taken += reader.Bytes(reader.U32()).size();
        break;
    }
  }
  const Span<const std::byte> rest = reader.Rest();
  if (taken + rest.size() > payload.size() + 8) Violation("more was read than is there");
  if (!reader.ok() && reader.U32() != 0) Violation("a number from behind the end");
}

// An accepted frame must be the same after it is encoded and decoded again.
void CheckRoundTrip(const Frame& frame) {
  Bytes body(frame.payload.size() + protocol::kHeaderBytes + protocol::kCrcBytes);
  BodyWriter writer({body.data(), body.size()});
  writer.Start(frame.type, frame.sequence);
  writer.Bytes(frame.payload);
  Wire wire;
  protocol::WriteFrame(writer.Finish(), wire);
  Bytes again(body.size());
  FrameDecoder decoder({again.data(), again.size()});
  unsigned frames = 0;
  for (const std::byte byte : wire.bytes) {
    const FrameDecoder::Event event = decoder.Feed(byte);
    if (event == FrameDecoder::Event::kDamaged) Violation("a frame of ours is damaged");
    if (event != FrameDecoder::Event::kFrame) continue;
    ++frames;
    const Frame& copy = decoder.frame();
    if (copy.type != frame.type || copy.sequence != frame.sequence ||
        copy.payload.size() != frame.payload.size() ||
        (!frame.payload.empty() &&
         std::memcmp(copy.payload.data(), frame.payload.data(), frame.payload.size()) != 0)) {
      Violation("a frame changed on its way");
    }
  }
  if (frames != 1) Violation("one frame in, another number out");
}

unsigned Decode(Span<const std::byte> wire, std::size_t buffer_bytes) {
  Bytes buffer(buffer_bytes);
  FrameDecoder decoder({buffer.data(), buffer.size()});
  unsigned frames = 0;
  for (const std::byte byte : wire) {
    if (decoder.Feed(byte) != FrameDecoder::Event::kFrame) continue;
    ++frames;
    ReadFields(decoder.frame().payload);
    CheckRoundTrip(decoder.frame());
  }
  return frames;
}

unsigned Serve(Span<const std::byte> wire, std::size_t piece_bytes) {
  static const check::DeviceFacts facts;
  FakeModel model;
  check::ModelPort* models[] = {&model};
  FakeDevice device;
  AnswerSink sink;
  check::Server server(facts, {models, 1}, device, sink);
  server.session().Boot();
  for (std::size_t at = 0; at < wire.size(); at += piece_bytes) {
    const std::size_t left = wire.size() - at;
    server.session().Receive(wire.subspan(at, left < piece_bytes ? left : piece_bytes));
  }
  return sink.answers;
}

}  // namespace

const char* LastOutcome() { return last_outcome; }

}  // namespace pilotlight::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pilotlight;        // NOLINT: the target is this function
  using namespace pilotlight::fuzz;  // NOLINT: likewise
  if (size == 0) return 0;
  const auto* const bytes = reinterpret_cast<const std::byte*>(data);
  const unsigned mode = data[0];
  Bytes wire =
      mode % 2 == 0 ? Bytes(bytes + 1, bytes + size) : FrameMessages({bytes + 1, size - 1});
  const unsigned frames = Decode({wire.data(), wire.size()}, 8u * (1u + (mode >> 1) % 160u));
  const unsigned answers = Serve({wire.data(), wire.size()}, 1u + mode % 61u);
  std::snprintf(last_outcome, sizeof last_outcome, "%s, %s",
                frames == 0 ? "no frame decoded" : "frames decoded",
                answers == 1 ? "nothing answered" : "answered");
  return 0;
}
