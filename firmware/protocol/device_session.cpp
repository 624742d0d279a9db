// SPDX-License-Identifier: Apache-2.0
#include "pilotlight/protocol/device_session.h"

#include <algorithm>
#include <cstring>

namespace pilotlight::protocol {
namespace {

constexpr std::uint8_t kErrorLevel = 2;

}  // namespace

void DeviceSession::Boot() {
  BodyWriter& boot = Message(MessageType::kBoot, 0);
  boot.U32(facts_.boot_id);
  boot.U16(kProtocolVersion);
  Send();
}

void DeviceSession::Receive(Span<const std::byte> bytes) {
  for (const std::byte byte : bytes) {
    switch (decoder_.Feed(byte)) {
      case FrameDecoder::Event::kNone:
        break;
      case FrameDecoder::Event::kFrame:
        Dispatch(decoder_.frame());
        break;
      case FrameDecoder::Event::kDamaged:
        ++damaged_;
        ++damaged_since_boot_;
        SendNak(decoder_.damage());
        break;
    }
  }
}

void DeviceSession::Log(std::uint8_t level, const char* text, std::size_t length) {
  if (level >= kErrorLevel) ++errors_logged_;
  BodyWriter line(log_buffer_);
  line.Start(MessageType::kLog, log_sequence_++);
  line.U8(level);
  line.Bytes({reinterpret_cast<const std::byte*>(text), std::min(length, kMaxLogBytes)});
  WriteFrame(line.Finish(), sink_);
}

void DeviceSession::Dispatch(const Frame& request) {
  switch (request.type) {
    case MessageType::kIdentify:
      return Identify(request);
    case MessageType::kReset:
      return Reset(request);
    case MessageType::kReadFault:
      return ReadFault(request);
    default:
      break;
  }
  for (const Request& known : app_.requests) {
    if (known.type != request.type) continue;
    if (in_session_) return known.answer(app_.app, request);
    return Refuse(request, ErrorReason::kNoSession, "no session since boot");
  }
  Refuse(request, ErrorReason::kUnknownRequest, "unknown request");
}

void DeviceSession::Identify(const Frame& request) {
  if (request.payload.size() != kNonceBytes) {
    return Refuse(request, ErrorReason::kBadPayload, "IDENTIFY carries a nonce of 16 bytes");
  }
  // The host repeats IDENTIFY if the answer was lost. The session then stays the same.
  const bool repeated =
      in_session_ && std::memcmp(nonce_, request.payload.data(), sizeof nonce_) == 0;
  if (!repeated) {
    std::memcpy(nonce_, request.payload.data(), sizeof nonce_);
    in_session_ = true;
    damaged_ = 0;
    errors_logged_ = 0;
    app_.new_session(app_.app);
  }
  BodyWriter& answer = Answer(request);
  answer.U16(kProtocolVersion);
  answer.U16(app_.max_chunk_bytes);
  answer.U8(app_.window);
  answer.U8(app_.model_count);
  answer.U8(static_cast<std::uint8_t>(facts_.npu_status));
  answer.U8(facts_.fault_dump.empty() ? 0 : 1);
  answer.U32(facts_.boot_id);
  answer.U32(facts_.cpu_clock_hz);
  answer.U16(log_sequence_);
  answer.U16(0);
  answer.Bytes(nonce_);
  answer.String(facts_.build_id);
  answer.String(facts_.board);
  answer.String(facts_.npu_config);
  answer.String(facts_.npu_text);
  Send();
}

void DeviceSession::ReadFault(const Frame& request) {
  PayloadReader reader(request.payload);
  const std::size_t offset = reader.U32();
  if (!reader.complete()) return Refuse(request, ErrorReason::kBadPayload, "READ_FAULT: length");
  const Span<const std::byte> dump = facts_.fault_dump;
  if (offset > dump.size()) {
    return Refuse(request, ErrorReason::kOutOfRange, "READ_FAULT: beyond the dump's end");
  }
  const std::size_t length = std::min<std::size_t>(dump.size() - offset, app_.max_chunk_bytes);
  BodyWriter& answer = Answer(request);
  answer.U32(static_cast<std::uint32_t>(dump.size()));
  answer.U32(static_cast<std::uint32_t>(offset));
  answer.Bytes(dump.subspan(offset, length));
  Send();
}

void DeviceSession::Reset(const Frame& request) {
  PayloadReader reader(request.payload);
  const std::uint32_t magic = reader.U32();
  if (!reader.complete() || magic != kResetMagic) {
    return Refuse(request, ErrorReason::kBadPayload, "RESET: magic number");
  }
  Answer(request);
  Send();
  reset_requested_ = true;
}

void DeviceSession::SendNak(Damage damage) {
  BodyWriter& nak = Message(MessageType::kNak, 0);
  nak.U32(static_cast<std::uint32_t>(damage));
  nak.U32(damaged_since_boot_);
  Send();
}

BodyWriter& DeviceSession::Message(MessageType type, std::uint16_t sequence) {
  message_.Start(type, sequence);
  return message_;
}

void DeviceSession::Send() { WriteFrame(message_.Finish(), sink_); }

void DeviceSession::Refuse(const Frame& request, ErrorReason reason, const char* text,
                           Status status) {
  BodyWriter& error = Message(MessageType::kError, request.sequence);
  error.U8(static_cast<std::uint8_t>(request.type));
  error.U8(static_cast<std::uint8_t>(reason));
  error.U8(static_cast<std::uint8_t>(status));
  error.U8(0);
  error.String(text);
  Send();
}

}  // namespace pilotlight::protocol
