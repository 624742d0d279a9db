// SPDX-License-Identifier: Apache-2.0
//
// Serves the protocol of firmware/protocol/SPEC.md over any byte sink: bytes in
// by Receive(), frames out. It owns the session's state (nonce, run count, which
// inputs are complete, whether outputs may be read) and knows nothing about
// boards or the runtime: those are behind ModelPort and Device.
//
// Lifecycle: constructor -> Boot() -> Receive()... and Log() at any time between.
#pragma once

#include <cstddef>
#include <cstdint>

#include "model_port.h"
#include "pilotlight/base/span.h"
#include "pilotlight/base/status.h"
#include "pilotlight/protocol/frame.h"
#include "pilotlight/protocol/message.h"

namespace pilotlight::check {

// Most data bytes in one frame. Larger means fewer acknowledgements, and a larger
// console buffer in platform/: it must hold kWindow frames while the server is busy.
inline constexpr std::uint16_t kMaxChunkBytes = 1024;
inline constexpr std::uint8_t kWindow = 4;
inline constexpr std::size_t kBodyBytes = kMaxChunkBytes + protocol::kBodyOverheadBytes;
static_assert(kBodyBytes >= protocol::kMinBodyBytes);

inline constexpr std::size_t kMaxInputs = 255;    // As many as the protocol can number.
inline constexpr std::size_t kMaxLogBytes = 200;  // A longer line is cut.

// Fixed from the first Receive() on. All pointers refer to storage that outlives the server.
struct DeviceFacts {
  const char* build_id = "";
  const char* board = "";
  const char* npu_config = "";  // "" when the NPU could not be opened.
  Status npu_status = Status::kOk;
  const char* npu_text = "";  // "" when it could.
  std::uint32_t boot_id = 0;
  std::uint32_t cpu_clock_hz = 0;
  Span<const std::byte> fault_dump;  // Of an earlier boot; empty when there is none.
};

class Server {
 public:
  // All are borrowed. `facts` may be completed until the first Receive().
  Server(const DeviceFacts& facts, Span<ModelPort* const> models, Device& device,
         protocol::ByteSink& sink)
      : facts_(facts), models_(models), device_(device), sink_(sink) {}

  // Sends BOOT.
  void Boot();

  // Consumes bytes that arrived and answers every frame they complete. A RUN
  // blocks until the inference is done or its deadline passed.
  void Receive(Span<const std::byte> bytes);

  // Sends a LOG frame. `level` as platform::LogLevel; 2 and above count as errors.
  void Log(std::uint8_t level, const char* text, std::size_t length);

  // True once RESET was acknowledged: the caller resets the device.
  bool reset_requested() const { return reset_requested_; }

 private:
  using Reader = protocol::PayloadReader;

  void Dispatch(const protocol::Frame& frame);
  void Identify(const protocol::Frame& frame);
  void DescribeModel(const protocol::Frame& frame);
  void DescribeTensor(const protocol::Frame& frame);
  void SetInput(const protocol::Frame& frame);
  void Run(const protocol::Frame& frame);
  void ReadOutput(const protocol::Frame& frame);
  void Statistics(const protocol::Frame& frame);
  void End(const protocol::Frame& frame);
  void Reset(const protocol::Frame& frame);
  void ReadFault(const protocol::Frame& frame);

  void Infer(ModelPort& model, std::uint64_t deadline_us);
  bool InputsComplete(ModelPort& model) const;
  void ForgetTensors();
  void SendRun(std::uint16_t sequence);
  void SendNak(protocol::Damage damage);

  void Start(const protocol::Frame& request);
  void Send();
  void Refuse(const protocol::Frame& request, protocol::ErrorReason reason, const char* text,
              Status status = Status::kOk);
  // The model of that index, loaded; otherwise refuses and returns nullptr.
  ModelPort* OpenModel(const protocol::Frame& request, std::uint8_t index);

  const DeviceFacts& facts_;
  const Span<ModelPort* const> models_;
  Device& device_;
  protocol::ByteSink& sink_;

  std::byte receive_buffer_[kBodyBytes];
  std::byte send_buffer_[kBodyBytes];
  // Its own buffer: a port may log while an answer is half composed.
  std::byte log_buffer_[kMaxLogBytes + 16];
  protocol::FrameDecoder decoder_{receive_buffer_};
  protocol::BodyWriter answer_{send_buffer_};

  // The session.
  bool in_session_ = false;
  std::byte nonce_[protocol::kNonceBytes] = {};
  std::uint32_t runs_ok_ = 0;
  std::uint32_t runs_failed_ = 0;
  std::uint32_t damaged_ = 0;
  std::uint32_t errors_logged_ = 0;

  // The model being fed: which bytes of its inputs arrived, and whether its outputs are valid.
  std::uint8_t fed_model_ = 0;
  bool feeding_ = false;
  bool outputs_valid_ = false;
  std::uint32_t filled_bytes_[kMaxInputs] = {};

  // The last run, kept so that a lost answer can be asked for again.
  struct LastRun {
    Inference inference;
    char text[protocol::kMaxStringBytes + 1] = {};
    std::uint32_t number = 0;
    std::uint8_t model = 0;
    std::uint32_t input_crc = 0;
    std::uint32_t output_crc = 0;
    std::uint64_t duration_us = 0;
    std::uint64_t cpu_cycles = 0;
  };
  LastRun last_run_;

  std::uint32_t damaged_since_boot_ = 0;
  std::uint16_t log_sequence_ = 0;
  bool reset_requested_ = false;
};

}  // namespace pilotlight::check
