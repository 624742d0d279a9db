// SPDX-License-Identifier: Apache-2.0
//
// Serves the requests of firmware/protocol/SPEC.md that are about models. Bytes come in by
// session().Receive(), and frames go to a byte sink. The server owns the state of a session:
// the number of runs, which inputs are complete, and whether outputs may be read. The server knows
// nothing about boards or the runtime, which are behind ModelPort and Device.
//
// Lifecycle: that of protocol::DeviceSession.
#pragma once

#include <cstddef>
#include <cstdint>

#include "model_port.h"
#include "pilotlight/base/span.h"
#include "pilotlight/base/status.h"
#include "pilotlight/protocol/device_session.h"
#include "pilotlight/protocol/frame.h"
#include "pilotlight/protocol/message.h"

namespace pilotlight::check {

// Most data bytes in one frame. A larger number needs fewer acknowledgements but a larger
// console buffer in platform/, which must hold kWindow frames while the server is busy.
inline constexpr std::uint16_t kMaxChunkBytes = 1024;
inline constexpr std::uint8_t kWindow = 4;
inline constexpr std::size_t kBodyBytes = kMaxChunkBytes + protocol::kBodyOverheadBytes;
static_assert(kBodyBytes >= protocol::kMinBodyBytes);

inline constexpr std::size_t kMaxInputs = 255;  // The protocol numbers inputs in a byte.

using protocol::DeviceFacts;

class Server {
 public:
  // All arguments are borrowed. `facts` may change until the first Receive().
  Server(const DeviceFacts& facts, Span<ModelPort* const> models, Device& device,
         protocol::ByteSink& sink)
      : facts_(facts),
        models_(models),
        device_(device),
        session_(facts, SessionApp(), sink, {receive_buffer_, send_buffer_, log_buffer_}) {}

  // For Boot(), Receive(), Log() and reset_requested(). A RUN blocks Receive() until the
  // inference has ended; its deadline limits the time on the NPU.
  protocol::DeviceSession& session() { return session_; }

 private:
  using Reader = protocol::PayloadReader;

  protocol::DeviceSession::App SessionApp();
  void NewSession();
  void DescribeModel(const protocol::Frame& frame);
  void DescribeTensor(const protocol::Frame& frame);
  void DescribeTie(const protocol::Frame& frame);
  void SetInput(const protocol::Frame& frame);
  void Run(const protocol::Frame& frame);
  void ReadOutput(const protocol::Frame& frame);
  void Statistics(const protocol::Frame& frame);
  void End(const protocol::Frame& frame);

  void Infer(ModelPort& model, std::uint32_t timeout_us);
  bool InputsComplete(ModelPort& model) const;
  void ForgetTensors();
  void SendRun(std::uint16_t sequence);

  // Return the model if it exists, or if it exists and is loaded. Otherwise refuse the request and
  // return nullptr.
  ModelPort* FindModel(const protocol::Frame& request, std::uint8_t index);
  ModelPort* OpenModel(const protocol::Frame& request, std::uint8_t index);

  const DeviceFacts& facts_;
  const Span<ModelPort* const> models_;
  Device& device_;

  std::byte receive_buffer_[kBodyBytes];
  std::byte send_buffer_[kBodyBytes];
  std::byte log_buffer_[protocol::kLogBodyBytes];
  protocol::DeviceSession session_;

  std::uint32_t runs_ok_ = 0;
  std::uint32_t runs_failed_ = 0;

  // The model that receives inputs: how many bytes of each input have arrived, from offset 0 on.
  // outputs_valid_ is about the model of last_run_.
  std::uint8_t fed_model_ = 0;
  bool feeding_ = false;
  bool outputs_valid_ = false;
  std::uint32_t filled_bytes_[kMaxInputs] = {};

  // The last run. The server keeps this, so that the host can ask for a lost answer again.
  struct LastRun {
    Status status = Status::kOk;
    pilotlight_statistics_t statistics = {};
    char text[protocol::kMaxStringBytes + 1] = {};
    std::uint32_t number = 0;
    std::uint8_t model = 0;
    std::uint32_t input_crc = 0;
    std::uint32_t output_crc = 0;
    std::uint64_t duration_us = 0;
    std::uint64_t cpu_cycles = 0;
  };
  LastRun last_run_;
};

}  // namespace pilotlight::check
