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
using protocol::MessageType;
using protocol::PayloadReader;

namespace {

Span<const std::byte> BytesOf(Span<const std::int8_t> values) {
  return {reinterpret_cast<const std::byte*>(values.data()), values.size()};
}

}  // namespace

protocol::DeviceSession::App ConsoleStream::SessionApp() {
  using protocol::Calls;
  static constexpr protocol::Request kRequests[] = {
      {kDescribeAudio, Calls<&ConsoleStream::DescribeAudio>},
      {kStart, Calls<&ConsoleStream::StartStream>},
      {kAudio, Calls<&ConsoleStream::Audio>},
      {kFinish, Calls<&ConsoleStream::Finish>},
      {kStatistics, Calls<&ConsoleStream::AskStatistics>},
  };
  // START begins the stream, in any session.
  const auto new_session = [](void*) {};
  return {this, new_session, kRequests, kMaxChunkBytes, kWindow, 1};
}

void ConsoleStream::Wait(std::uint64_t deadline_us) {
  asleep_us_ += console_session::Serve(session_, deadline_us);
}

bool ConsoleStream::TakeRestart() {
  const bool restarted = restarted_;
  restarted_ = false;
  return restarted;
}

void ConsoleStream::DescribeAudio(const Frame& frame) {
  if (!frame.payload.empty()) {
    return session_.Refuse(frame, ErrorReason::kBadPayload, "DESCRIBE_AUDIO: length");
  }
  BodyWriter& answer = session_.Answer(frame);
  answer.U32(description::kCrc32);
  answer.U32(description::kSampleRateHz);
  answer.U32(PILOTLIGHT_BOARD_CPU_CLOCK_HZ);
  answer.U32(SampleRing::kCapacity);
  answer.U16(kMaxSamples);
  answer.U16(description::kClasses);
  session_.Send();
}

void ConsoleStream::StartStream(const Frame& frame) {
  PayloadReader reader(frame.payload);
  const std::uint32_t reports = reader.U32();
  if (!reader.complete() || (reports & ~(kReportFeatures | kReportInferences)) != 0) {
    return session_.Refuse(frame, ErrorReason::kBadPayload, "START: length or unknown bits");
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
  session_.Answer(frame);
  session_.Send();
}

void ConsoleStream::Audio(const Frame& frame) {
  PayloadReader reader(frame.payload);
  const std::uint32_t first = reader.U32();
  const Span<const std::byte> bytes = reader.Rest();
  const std::size_t count = bytes.size() / sizeof(std::int16_t);
  if (!reader.ok() || bytes.size() % sizeof(std::int16_t) != 0 || count == 0 ||
      count > kMaxSamples || finished_) {
    return session_.Refuse(frame, ErrorReason::kBadPayload, "AUDIO: length, or after FINISH");
  }
  if (first > next_sample_) {
    return session_.Refuse(frame, ErrorReason::kInputIncomplete, "AUDIO: leaves a gap");
  }
  if (first == next_sample_) {
    // Copied, because the payload may be misaligned for samples.
    std::int16_t samples[kMaxSamples];
    std::memcpy(samples, bytes.data(), bytes.size());
    ring_->Write({samples, count});
    next_sample_ += static_cast<std::uint32_t>(count);
  }
  BodyWriter& answer = session_.Answer(frame);
  answer.U32(next_sample_);
  session_.Send();
}

void ConsoleStream::Finish(const Frame& frame) {
  PayloadReader reader(frame.payload);
  const std::uint32_t samples = reader.U32();
  if (!reader.complete()) return session_.Refuse(frame, ErrorReason::kBadPayload, "FINISH: length");
  if (samples != next_sample_) {
    return session_.Refuse(frame, ErrorReason::kInputIncomplete, "FINISH: not all samples arrived");
  }
  finished_ = true;
  AskStatistics(frame);
}

// Computed() sends the answer later, so that it includes all samples that have arrived.
void ConsoleStream::AskStatistics(const Frame& frame) {
  statistics_asked_ = true;
  asked_type_ = frame.type;
  asked_sequence_ = frame.sequence;
}

void ConsoleStream::Computed(const Statistics& statistics) {
  if (!statistics_asked_) return;
  statistics_asked_ = false;
  BodyWriter& answer = session_.Answer(asked_type_, asked_sequence_);
  answer.U64(statistics.samples);
  answer.U32(ring_->lost_samples());
  answer.U32(ring_->most_samples());
  answer.U32(statistics.feature_frames);
  answer.U32(statistics.inferences);
  answer.U32(statistics.failed_inferences);
  answer.U32(statistics.keywords);
  answer.U64(statistics.features_us);
  answer.U64(statistics.network_us);
  answer.U64(statistics.npu_us);
  answer.U64(statistics.decision_us);
  answer.U64(statistics.npu_cycles);
  answer.U64(platform::NowUs() - started_us_);
  answer.U64(asleep_us_);
  answer.U32(static_cast<std::uint32_t>(platform::StackHighWaterBytes()));
  answer.U32(static_cast<std::uint32_t>(platform::StackSizeBytes()));
  answer.U32(platform::ConsoleOverruns());
  answer.U32(session_.damaged_since_boot());
  answer.U16(report_sequence_);
  answer.U16(0);
  session_.Send();
}

void ConsoleStream::OnFeatures(std::uint32_t frame, Span<const float> features,
                               Span<const std::int8_t> stored) {
  if ((reports_ & kReportFeatures) == 0) return;
  BodyWriter& answer = Report(kFeatures);
  answer.U32(frame);
  for (const float feature : features) answer.F32(feature);
  answer.Bytes(BytesOf(stored));
  session_.Send();
}

void ConsoleStream::OnInference(std::uint64_t end, Span<const std::int8_t> scores,
                                Span<const float> averages) {
  if ((reports_ & kReportInferences) == 0) return;
  BodyWriter& answer = Report(kInference);
  answer.U64(end);
  answer.Bytes(BytesOf(scores));
  for (const float average : averages) answer.F32(average);
  session_.Send();
}

void ConsoleStream::OnKeyword(std::uint64_t end, int keyword, float score,
                              std::uint32_t compute_us) {
  BodyWriter& answer = Report(kKeyword);
  answer.U64(end);
  answer.U32(static_cast<std::uint32_t>(keyword));
  answer.F32(score);
  answer.U32(compute_us);
  session_.Send();
}

protocol::BodyWriter& ConsoleStream::Report(MessageType type) {
  return session_.Message(type, report_sequence_++);
}

}  // namespace pilotlight::keyword_spotting
