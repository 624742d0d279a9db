// SPDX-License-Identifier: Apache-2.0
//
// The device's half of a session (SPEC.md). The session handles BOOT, IDENTIFY, NAK, ERROR, LOG,
// RESET and READ_FAULT, and decodes received bytes. An app adds its own requests.
//
// The session owns the nonce, the counters of frames and log lines, and the decoder. The session
// knows nothing about models or boards.
//
// Lifecycle: constructor -> Boot() -> Receive()... Log() may be called at any time after the
// constructor. All calls come from thread context.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pilotlight/base/span.h"
#include "pilotlight/base/status.h"
#include "pilotlight/protocol/frame.h"
#include "pilotlight/protocol/message.h"

namespace pilotlight::protocol {

inline constexpr std::size_t kMaxLogBytes = 200;  // A longer line is cut.
inline constexpr std::size_t kLogBodyBytes = kMaxLogBytes + 16;

// The facts in the answer to IDENTIFY. These facts must not change after the first Receive(). All
// pointers refer to storage that outlives the session.
struct DeviceFacts {
  const char* build_id = "";
  const char* board = "";
  const char* npu_config = "";  // "" if the NPU could not be opened.
  Status npu_status = Status::kOk;
  const char* npu_text = "";  // Why it could not be opened; else "".
  std::uint32_t boot_id = 0;
  std::uint32_t cpu_clock_hz = 0;
  Span<const std::byte> fault_dump;  // Of an earlier boot; empty: none.
};

// A request of the app, and the function that answers it.
struct Request {
  MessageType type;
  void (*answer)(void* app, const Frame& request);
};

// Makes a Request from a member function: {MessageType::kRun, Calls<&Server::Run>}.
template <auto kMember>
struct MemberOf;
template <typename App, void (App::*kMember)(const Frame&)>
struct MemberOf<kMember> {
  static void Call(void* app, const Frame& request) { (static_cast<App*>(app)->*kMember)(request); }
};
template <auto kMember>
inline constexpr auto Calls = &MemberOf<kMember>::Call;

class DeviceSession {
 public:
  // Borrowed for the life of the session. `receive` and `send` hold one body each:
  // max_chunk_bytes + kBodyOverheadBytes, and at least kMinBodyBytes. `log` holds
  // kLogBodyBytes. The log buffer is separate, because an app may log while it composes an answer.
  struct Buffers {
    Span<std::byte> receive;
    Span<std::byte> send;
    Span<std::byte> log;
  };

  // The app's part. The session calls new_session when IDENTIFY starts a new session. The app
  // must then forget all data of the old one.
  struct App {
    void* app;
    void (*new_session)(void* app);
    Span<const Request> requests;
    std::uint16_t max_chunk_bytes;  // Most data bytes in one frame.
    std::uint8_t window;            // Frames that the host may send ahead of their answers.
    std::uint8_t model_count;
  };

  DeviceSession(const DeviceFacts& facts, const App& app, ByteSink& sink, const Buffers& buffers)
      : facts_(facts),
        app_(app),
        sink_(sink),
        log_buffer_(buffers.log),
        decoder_(buffers.receive),
        message_(buffers.send) {}

  // Sends BOOT.
  void Boot();

  // Takes received bytes and answers every frame that they complete. Blocks as long as the
  // app's requests do.
  void Receive(Span<const std::byte> bytes);

  // Sends a LOG frame. `level` has the numbers of platform::LogLevel; 2 and above count as
  // errors.
  void Log(std::uint8_t level, const char* text, std::size_t length);

  // The functions below are for the app's requests.

  // Starts the answer to `request`, or another message of the app. Add fields, then Send().
  BodyWriter& Answer(const Frame& request) { return Answer(request.type, request.sequence); }
  BodyWriter& Answer(MessageType request, std::uint16_t sequence) {
    return Message(AnswerTo(request), sequence);
  }
  BodyWriter& Message(MessageType type, std::uint16_t sequence);
  void Send();
  // Sends ERROR. `text` is cut at kMaxStringBytes.
  void Refuse(const Frame& request, ErrorReason reason, const char* text,
              Status status = Status::kOk);

  // True after the answer to RESET: the caller must reset the device.
  bool reset_requested() const { return reset_requested_; }

  Span<const std::byte> nonce() const { return nonce_; }
  std::uint16_t log_sequence() const { return log_sequence_; }  // Of the next LOG frame.
  // Damaged frames and error lines in this session, and damaged frames since boot.
  std::uint32_t damaged() const { return damaged_; }
  std::uint32_t errors_logged() const { return errors_logged_; }
  std::uint32_t damaged_since_boot() const { return damaged_since_boot_; }

 private:
  void Dispatch(const Frame& request);
  void Identify(const Frame& request);
  void ReadFault(const Frame& request);
  void Reset(const Frame& request);
  void SendNak(Damage damage);

  const DeviceFacts& facts_;
  const App app_;
  ByteSink& sink_;
  const Span<std::byte> log_buffer_;
  FrameDecoder decoder_;
  BodyWriter message_;

  bool in_session_ = false;
  bool reset_requested_ = false;
  std::byte nonce_[kNonceBytes] = {};
  std::uint16_t log_sequence_ = 0;
  std::uint32_t damaged_ = 0;
  std::uint32_t damaged_since_boot_ = 0;
  std::uint32_t errors_logged_ = 0;
};

}  // namespace pilotlight::protocol
