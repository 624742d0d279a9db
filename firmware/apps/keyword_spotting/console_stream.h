// SPDX-License-Identifier: Apache-2.0
//
// The app's requests of SPEC.md: receives sound, as an AudioPort, and sends results. Owns the
// session on the console. This class knows nothing about features or models.
//
// Lifecycle: Boot(), Start(), then Wait() and Computed() alternately.
#pragma once

#include <cstdint>

#include "audio_port.h"
#include "messages.h"
#include "pilotlight/base/span.h"
#include "pilotlight/console_session/console_session.h"
#include "pilotlight/protocol/device_session.h"
#include "spotter.h"
#include "statistics.h"

namespace pilotlight::keyword_spotting {

class ConsoleStream final : public AudioPort, public Results {
 public:
  // `facts` must not change after the first Wait().
  explicit ConsoleStream(const protocol::DeviceFacts& facts)
      : session_(facts, SessionApp(), sink_, {receive_buffer_, send_buffer_, log_buffer_}) {}

  // Boot() and Log().
  protocol::DeviceSession& session() { return session_; }

  // AudioPort. Wait() answers requests; START empties the ring.
  void Start(SampleRing& ring) override { ring_ = &ring; }
  void Wait(std::uint64_t deadline_us) override;

  // True once after each START. The caller must then restart the Spotter.
  bool TakeRestart();

  // Call it when the ring is empty. Answers a pending FINISH or STATISTICS.
  void Computed(const Statistics& statistics);

  // Results.
  void OnFeatures(std::uint32_t frame, Span<const float> features,
                  Span<const std::int8_t> stored) override;
  void OnInference(std::uint64_t end, Span<const std::int8_t> scores,
                   Span<const float> averages) override;
  void OnKeyword(std::uint64_t end, int keyword, float score, std::uint32_t compute_us) override;

 private:
  protocol::DeviceSession::App SessionApp();
  void DescribeAudio(const protocol::Frame& frame);
  void StartStream(const protocol::Frame& frame);
  void Audio(const protocol::Frame& frame);
  void Finish(const protocol::Frame& frame);
  void AskStatistics(const protocol::Frame& frame);

  protocol::BodyWriter& Report(protocol::MessageType type);

  SampleRing* ring_ = nullptr;

  std::byte receive_buffer_[kBodyBytes];
  std::byte send_buffer_[kBodyBytes];
  std::byte log_buffer_[protocol::kLogBodyBytes];
  console_session::ConsoleSink sink_;
  protocol::DeviceSession session_;

  // The stream since START.
  std::uint32_t reports_ = 0;
  std::uint16_t report_sequence_ = 0;
  std::uint32_t next_sample_ = 0;
  std::uint64_t started_us_ = 0;
  std::uint64_t asleep_us_ = 0;
  bool restarted_ = false;
  bool finished_ = false;
  bool statistics_asked_ = false;  // By a request of the type and sequence below.
  protocol::MessageType asked_type_ = kStatistics;
  std::uint16_t asked_sequence_ = 0;
};

}  // namespace pilotlight::keyword_spotting
