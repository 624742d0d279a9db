// SPDX-License-Identifier: Apache-2.0
//
// The app's requests of SPEC.md: takes prompts and sends tokens. Owns the session on the console
// and the sampler.
//
// Lifecycle: Boot(), Start(), then Serve() for ever.
#pragma once

#include <cstdint>

#include "generator.h"
#include "messages.h"
#include "pilotlight/console_session/console_session.h"
#include "pilotlight/protocol/device_session.h"
#include "sampling/sampler.h"

namespace pilotlight::generate {

class ConsoleText {
 public:
  // `facts` must not change after the first Serve().
  explicit ConsoleText(const protocol::DeviceFacts& facts)
      : session_(facts, SessionApp(), sink_, {receive_buffer_, send_buffer_, log_buffer_}) {}

  // Boot() and Log().
  protocol::DeviceSession& session() { return session_; }

  // `status` is the result of generator.Open().
  void Start(Generator& generator, pilotlight_status_t status) {
    generator_ = &generator;
    open_status_ = status;
  }

  // Answers requests until `deadline_us`.
  void Serve(std::uint64_t deadline_us) { console_session::Serve(session_, deadline_us); }

 private:
  protocol::DeviceSession::App SessionApp();
  void DescribeText(const protocol::Frame& frame);
  void SetSampler(const protocol::Frame& frame);
  void Generate(const protocol::Frame& frame);

  bool RefusedAt(const protocol::Frame& frame, std::uint32_t position, std::uint32_t history_crc,
                 std::size_t tokens);

  // What one GENERATE wrote.
  struct Written {
    std::uint16_t sampled = 0;
    End end = End::kCount;
  };
  // Appends `prompt` and samples up to `count` tokens, with a report for each step.
  Written Write(Span<const std::uint16_t> prompt, std::uint16_t count, std::uint16_t stop);
  void SendStep(std::uint16_t token, std::uint16_t sampled);

  Generator* generator_ = nullptr;
  pilotlight_status_t open_status_ = PILOTLIGHT_BAD_ARGUMENT;
  Sampler sampler_;
  std::uint16_t report_sequence_ = 0;

  std::byte receive_buffer_[kBodyBytes];
  std::byte send_buffer_[kBodyBytes];
  std::byte log_buffer_[protocol::kLogBodyBytes];
  console_session::ConsoleSink sink_;
  protocol::DeviceSession session_;
};

}  // namespace pilotlight::generate
