// SPDX-License-Identifier: Apache-2.0
#include "console_stream.h"

#include <algorithm>
#include <cstring>

#include "pilotlight/board_config.h"
#include "pilotlight/build_id.h"
#include "pilotlight/platform/clock.h"
#include "pilotlight/platform/console.h"
#include "pilotlight/platform/system.h"

namespace pilotlight::keyword_spotting {

using protocol::BodyWriter;
using protocol::ErrorReason;
using protocol::Frame;
using protocol::FrameDecoder;
using protocol::MessageType;
using protocol::PayloadReader;

namespace {

constexpr std::size_t kMaxLogBytes = 200;
constexpr std::uint64_t kDrainUs = 10'000;  // The last frame is on the wire by then.

struct ConsoleSink final : protocol::ByteSink {
  void Write(Span<const std::byte> bytes) override { platform::ConsoleWrite(bytes); }
};

void WriteFrame(Span<const std::byte> body) {
  ConsoleSink sink;
  protocol::WriteFrame(body, sink);
}

Span<const std::byte> BytesOf(Span<const std::int8_t> values) {
  return {reinterpret_cast<const std::byte*>(values.data()), values.size()};
}

}  // namespace

void ConsoleStream::Boot() {
  message_.Start(MessageType::kBoot, 0);
  message_.U32(platform::BootId());
  message_.U16(protocol::kProtocolVersion);
  Send();
}

void ConsoleStream::Wait(std::uint64_t deadline_us) {
  std::byte arrived[256];
  const std::uint64_t before_us = platform::NowUs();
  const std::size_t count = platform::ConsoleRead(arrived, deadline_us);
  asleep_us_ += platform::NowUs() - before_us;
  for (std::size_t i = 0; i < count; ++i) {
    switch (decoder_.Feed(arrived[i])) {
      case FrameDecoder::Event::kNone:
        break;
      case FrameDecoder::Event::kFrame:
        Dispatch(decoder_.frame());
        break;
      case FrameDecoder::Event::kDamaged:
        ++damaged_;
        message_.Start(MessageType::kNak, 0);
        message_.U32(static_cast<std::uint32_t>(decoder_.damage()));
        message_.U32(damaged_);
        Send();
        break;
    }
  }
}

bool ConsoleStream::TakeRestart() {
  const bool restarted = restarted_;
  restarted_ = false;
  return restarted;
}

void ConsoleStream::Dispatch(const Frame& frame) {
  switch (frame.type) {
    case MessageType::kIdentify:
      return Identify(frame);
    case MessageType::kReadFault:
      return ReadFault(frame);
    case MessageType::kReset:
      return Reset(frame);
    default:
      break;
  }
  if (!in_session_) return Refuse(frame, ErrorReason::kNoSession, "no session since boot");
  if (frame.type == kDescribeAudio) return DescribeAudio(frame);
  if (frame.type == kStart) return StartStream(frame);
  if (frame.type == kAudio) return Audio(frame);
  if (frame.type == kFinish) return Finish(frame);
  if (frame.type == kStatistics) return AskStatistics(frame);
  Refuse(frame, ErrorReason::kUnknownRequest, "unknown request");
}

void ConsoleStream::Identify(const Frame& frame) {
  if (frame.payload.size() != protocol::kNonceBytes) {
    return Refuse(frame, ErrorReason::kBadPayload, "IDENTIFY carries a nonce of 16 bytes");
  }
  in_session_ = true;
  message_.Start(protocol::AnswerTo(frame.type), frame.sequence);
  message_.U16(protocol::kProtocolVersion);
  message_.U16(kMaxChunkBytes);
  message_.U8(kWindow);
  message_.U8(1);
  message_.U8(facts_.npu_status);
  message_.U8(facts_.fault_dump.empty() ? 0 : 1);
  message_.U32(platform::BootId());
  message_.U32(PILOTLIGHT_BOARD_CPU_CLOCK_HZ);
  message_.U16(log_sequence_);
  message_.U16(0);
  message_.Bytes(frame.payload);
  message_.String(pilotlight_build_id);
  message_.String(PILOTLIGHT_BOARD_NAME);
  message_.String(facts_.npu_config);
  message_.String(facts_.npu_text);
  Send();
}

void ConsoleStream::ReadFault(const Frame& frame) {
  PayloadReader reader(frame.payload);
  const std::size_t offset = reader.U32();
  const Span<const std::byte> dump = facts_.fault_dump;
  if (!reader.complete()) return Refuse(frame, ErrorReason::kBadPayload, "READ_FAULT: length");
  if (offset > dump.size()) {
    return Refuse(frame, ErrorReason::kOutOfRange, "READ_FAULT: beyond the dump's end");
  }
  message_.Start(protocol::AnswerTo(frame.type), frame.sequence);
  message_.U32(static_cast<std::uint32_t>(dump.size()));
  message_.U32(static_cast<std::uint32_t>(offset));
  message_.Bytes(dump.subspan(offset, std::min<std::size_t>(dump.size() - offset, kMaxChunkBytes)));
  Send();
}

void ConsoleStream::Reset(const Frame& frame) {
  PayloadReader reader(frame.payload);
  if (reader.U32() != protocol::kResetMagic || !reader.complete()) {
    return Refuse(frame, ErrorReason::kBadPayload, "RESET: magic number");
  }
  message_.Start(protocol::AnswerTo(frame.type), frame.sequence);
  Send();
  const std::uint64_t drained_us = platform::NowUs() + kDrainUs;
  while (platform::NowUs() < drained_us) {
  }
  platform::Reset();
}

void ConsoleStream::DescribeAudio(const Frame& frame) {
  if (!frame.payload.empty()) {
    return Refuse(frame, ErrorReason::kBadPayload, "DESCRIBE_AUDIO: length");
  }
  message_.Start(protocol::AnswerTo(frame.type), frame.sequence);
  message_.U32(description::kCrc32);
  message_.U32(description::kSampleRateHz);
  message_.U32(PILOTLIGHT_BOARD_CPU_CLOCK_HZ);
  message_.U32(SampleRing::kCapacity);
  message_.U16(kMaxSamples);
  message_.U16(description::kClasses);
  Send();
}

void ConsoleStream::StartStream(const Frame& frame) {
  PayloadReader reader(frame.payload);
  const std::uint32_t reports = reader.U32();
  if (!reader.complete() || (reports & ~(kReportFeatures | kReportInferences)) != 0) {
    return Refuse(frame, ErrorReason::kBadPayload, "START: length or unknown bits");
  }
  ring_->Restart();
  reports_ = reports;
  report_sequence_ = 0;
  next_sample_ = 0;
  started_us_ = platform::NowUs();
  asleep_us_ = 0;
  restarted_ = true;
  finished_ = false;
  statistics_asked_ = false;
  message_.Start(protocol::AnswerTo(frame.type), frame.sequence);
  Send();
}

void ConsoleStream::Audio(const Frame& frame) {
  PayloadReader reader(frame.payload);
  const std::uint32_t first = reader.U32();
  const Span<const std::byte> bytes = reader.Rest();
  const std::size_t count = bytes.size() / sizeof(std::int16_t);
  if (!reader.ok() || bytes.size() % sizeof(std::int16_t) != 0 || count == 0 ||
      count > kMaxSamples || finished_) {
    return Refuse(frame, ErrorReason::kBadPayload, "AUDIO: length, or after FINISH");
  }
  if (first > next_sample_) {
    return Refuse(frame, ErrorReason::kInputIncomplete, "AUDIO: leaves a gap");
  }
  if (first == next_sample_) {
    // The payload lies at any address; the ring wants samples.
    std::int16_t samples[kMaxSamples];
    std::memcpy(samples, bytes.data(), bytes.size());
    ring_->Write({samples, count});
    next_sample_ += static_cast<std::uint32_t>(count);
  }
  message_.Start(protocol::AnswerTo(frame.type), frame.sequence);
  message_.U32(next_sample_);
  Send();
}

void ConsoleStream::Finish(const Frame& frame) {
  PayloadReader reader(frame.payload);
  const std::uint32_t samples = reader.U32();
  if (!reader.complete()) return Refuse(frame, ErrorReason::kBadPayload, "FINISH: length");
  if (samples != next_sample_) {
    return Refuse(frame, ErrorReason::kInputIncomplete, "FINISH: not all samples arrived");
  }
  finished_ = true;
  AskStatistics(frame);
}

// Answered by Computed(), so that it tells of all samples that arrived before.
void ConsoleStream::AskStatistics(const Frame& frame) {
  statistics_asked_ = true;
  asked_type_ = frame.type;
  asked_sequence_ = frame.sequence;
}

void ConsoleStream::Computed(const Statistics& statistics) {
  if (!statistics_asked_) return;
  statistics_asked_ = false;
  message_.Start(protocol::AnswerTo(asked_type_), asked_sequence_);
  message_.U64(statistics.samples);
  message_.U32(ring_->lost_samples());
  message_.U32(ring_->most_samples());
  message_.U32(statistics.feature_frames);
  message_.U32(statistics.inferences);
  message_.U32(statistics.failed_inferences);
  message_.U32(statistics.keywords);
  message_.U64(statistics.features_us);
  message_.U64(statistics.network_us);
  message_.U64(statistics.npu_us);
  message_.U64(statistics.decision_us);
  message_.U64(statistics.npu_cycles);
  message_.U64(platform::NowUs() - started_us_);
  message_.U64(asleep_us_);
  message_.U32(static_cast<std::uint32_t>(platform::StackHighWaterBytes()));
  message_.U32(static_cast<std::uint32_t>(platform::StackSizeBytes()));
  message_.U32(platform::ConsoleOverruns());
  message_.U32(damaged_);
  message_.U16(report_sequence_);
  message_.U16(0);
  Send();
}

void ConsoleStream::OnFeatures(std::uint32_t frame, Span<const float> features,
                               Span<const std::int8_t> stored) {
  if ((reports_ & kReportFeatures) == 0) return;
  StartReport(kFeatures);
  message_.U32(frame);
  for (const float feature : features) message_.F32(feature);
  message_.Bytes(BytesOf(stored));
  Send();
}

void ConsoleStream::OnInference(std::uint64_t end, Span<const std::int8_t> scores,
                                Span<const float> averages) {
  if ((reports_ & kReportInferences) == 0) return;
  StartReport(kInference);
  message_.U64(end);
  message_.Bytes(BytesOf(scores));
  for (const float average : averages) message_.F32(average);
  Send();
}

void ConsoleStream::OnKeyword(std::uint64_t end, int keyword, float score,
                              std::uint32_t compute_us) {
  StartReport(kKeyword);
  message_.U64(end);
  message_.U32(static_cast<std::uint32_t>(keyword));
  message_.F32(score);
  message_.U32(compute_us);
  Send();
}

void ConsoleStream::Log(std::uint8_t level, const char* text, std::size_t length) {
  // A buffer of its own: whoever logs may do so while a message is half composed.
  BodyWriter line(log_buffer_);
  line.Start(MessageType::kLog, log_sequence_++);
  line.U8(level);
  line.Bytes({reinterpret_cast<const std::byte*>(text), std::min(length, kMaxLogBytes)});
  WriteFrame(line.Finish());
}

void ConsoleStream::StartReport(MessageType type) { message_.Start(type, report_sequence_++); }

void ConsoleStream::Send() { WriteFrame(message_.Finish()); }

void ConsoleStream::Refuse(const Frame& request, ErrorReason reason, const char* text) {
  message_.Start(MessageType::kError, request.sequence);
  message_.U8(static_cast<std::uint8_t>(request.type));
  message_.U8(static_cast<std::uint8_t>(reason));
  message_.U8(0);
  message_.U8(0);
  message_.String(text);
  Send();
}

}  // namespace pilotlight::keyword_spotting
