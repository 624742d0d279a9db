// SPDX-License-Identifier: Apache-2.0
//
// The device's side of SPEC.md: receives sound, as an AudioPort, and sends results. Owns
// the console and the session's state. It knows nothing about features or models.
//
// Lifecycle: Boot(), Start(), then Wait() and Computed() alternately.
#pragma once

#include <cstdint>

#include "audio_port.h"
#include "messages.h"
#include "pilotlight/base/span.h"
#include "pilotlight/protocol/frame.h"
#include "spotter.h"
#include "statistics.h"

namespace pilotlight::keyword_spotting {

// Must not change after the first Wait().
struct DeviceFacts {
  std::uint8_t npu_status = 0;
  const char* npu_config = "";
  const char* npu_text = "";
  Span<const std::byte> fault_dump;
};

class ConsoleStream final : public AudioPort, public Results {
 public:
  explicit ConsoleStream(const DeviceFacts& facts) : facts_(facts) {}

  // Sends BOOT.
  void Boot();

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

  // Sends a LOG frame. `level` is a platform::LogLevel.
  void Log(std::uint8_t level, const char* text, std::size_t length);

 private:
  void Dispatch(const protocol::Frame& frame);
  void Identify(const protocol::Frame& frame);
  void ReadFault(const protocol::Frame& frame);
  void Reset(const protocol::Frame& frame);
  void DescribeAudio(const protocol::Frame& frame);
  void StartStream(const protocol::Frame& frame);
  void Audio(const protocol::Frame& frame);
  void Finish(const protocol::Frame& frame);
  void AskStatistics(const protocol::Frame& frame);

  void StartReport(protocol::MessageType type);
  void Send();
  void Refuse(const protocol::Frame& request, protocol::ErrorReason reason, const char* text);

  const DeviceFacts& facts_;
  SampleRing* ring_ = nullptr;

  std::byte receive_buffer_[kBodyBytes];
  std::byte send_buffer_[kBodyBytes];
  std::byte log_buffer_[256];
  protocol::FrameDecoder decoder_{receive_buffer_};
  protocol::BodyWriter message_{send_buffer_};

  bool in_session_ = false;
  std::uint16_t log_sequence_ = 0;
  std::uint32_t damaged_ = 0;

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
