// SPDX-License-Identifier: Apache-2.0
#include "server.h"

#include <algorithm>
#include <cstring>

#include "pilotlight/base/crc32.h"
#include "pilotlight/base/sha256.h"

namespace pilotlight::check {

using protocol::BodyWriter;
using protocol::Damage;
using protocol::ErrorReason;
using protocol::Frame;
using protocol::FrameDecoder;
using protocol::MessageType;

namespace {

constexpr std::uint8_t kErrorLevel = 2;
constexpr std::uint64_t kUsPerMs = 1000;

// Another pattern at each run, so that the poison of one cannot be the answer of the next.
std::byte PoisonFor(std::uint32_t run) {
  return static_cast<std::byte>((0xA5u + 59u * run) & 0xFFu);
}

bool Contains(std::uint32_t size_bytes, std::uint32_t offset, std::size_t length) {
  return offset <= size_bytes && length <= size_bytes - offset;
}

}  // namespace

void Server::Boot() {
  answer_.Start(MessageType::kBoot, 0);
  answer_.U32(facts_.boot_id);
  answer_.U16(protocol::kProtocolVersion);
  Send();
}

void Server::Receive(Span<const std::byte> bytes) {
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

void Server::Log(std::uint8_t level, const char* text, std::size_t length) {
  if (level >= kErrorLevel) ++errors_logged_;
  BodyWriter line(log_buffer_);
  line.Start(MessageType::kLog, log_sequence_++);
  line.U8(level);
  line.Bytes({reinterpret_cast<const std::byte*>(text), std::min(length, kMaxLogBytes)});
  protocol::WriteFrame(line.Finish(), sink_);
}

void Server::Dispatch(const Frame& frame) {
  switch (frame.type) {
    case MessageType::kIdentify:
      return Identify(frame);
    case MessageType::kReset:
      return Reset(frame);
    case MessageType::kReadFault:
      return ReadFault(frame);
    case MessageType::kDescribeModel:
    case MessageType::kDescribeTensor:
    case MessageType::kSetInput:
    case MessageType::kRun:
    case MessageType::kReadOutput:
    case MessageType::kStatistics:
    case MessageType::kEnd:
      break;
    default:
      return Refuse(frame, ErrorReason::kUnknownRequest, "unknown request");
  }
  if (!in_session_) return Refuse(frame, ErrorReason::kNoSession, "no session since boot");
  switch (frame.type) {
    case MessageType::kDescribeModel:
      return DescribeModel(frame);
    case MessageType::kDescribeTensor:
      return DescribeTensor(frame);
    case MessageType::kSetInput:
      return SetInput(frame);
    case MessageType::kRun:
      return Run(frame);
    case MessageType::kReadOutput:
      return ReadOutput(frame);
    case MessageType::kStatistics:
      return Statistics(frame);
    default:
      return End(frame);
  }
}

void Server::Identify(const Frame& frame) {
  if (frame.payload.size() != protocol::kNonceBytes) {
    return Refuse(frame, ErrorReason::kBadPayload, "IDENTIFY carries a nonce of 16 bytes");
  }
  const bool repeated =
      in_session_ && std::memcmp(nonce_, frame.payload.data(), sizeof nonce_) == 0;
  if (!repeated) {
    std::memcpy(nonce_, frame.payload.data(), sizeof nonce_);
    in_session_ = true;
    runs_ok_ = 0;
    runs_failed_ = 0;
    damaged_ = 0;
    errors_logged_ = 0;
    last_run_ = LastRun{};
    ForgetTensors();
  }
  Start(frame);
  answer_.U16(protocol::kProtocolVersion);
  answer_.U16(kMaxChunkBytes);
  answer_.U8(kWindow);
  answer_.U8(static_cast<std::uint8_t>(models_.size()));
  answer_.U8(static_cast<std::uint8_t>(facts_.npu_status));
  answer_.U8(facts_.fault_dump.empty() ? 0 : 1);
  answer_.U32(facts_.boot_id);
  answer_.U32(facts_.cpu_clock_hz);
  answer_.U16(log_sequence_);
  answer_.U16(0);
  answer_.Bytes(nonce_);
  answer_.String(facts_.build_id);
  answer_.String(facts_.board);
  answer_.String(facts_.npu_config);
  answer_.String(facts_.npu_text);
  Send();
}

void Server::DescribeModel(const Frame& frame) {
  Reader reader(frame.payload);
  const std::uint8_t index = reader.U8();
  if (!reader.complete()) return Refuse(frame, ErrorReason::kBadPayload, "DESCRIBE_MODEL: length");
  if (index >= models_.size()) return Refuse(frame, ErrorReason::kOutOfRange, "no such model");
  const ModelPort& model = *models_[index];
  const pilotlight_model_descriptor_t& about = model.descriptor();
  const Sha256Digest digest =
      Sha256({reinterpret_cast<const std::byte*>(about.pte), about.pte_size_bytes});
  Start(frame);
  answer_.U8(index);
  answer_.U8(static_cast<std::uint8_t>(model.status()));
  answer_.U8(static_cast<std::uint8_t>(about.input_count));
  answer_.U8(static_cast<std::uint8_t>(about.output_count));
  answer_.U32(about.pte_size_bytes);
  answer_.Bytes(digest.bytes);
  answer_.String(about.name);
  answer_.String(about.npu_config);
  answer_.String(model.status_text());
  Send();
}

void Server::DescribeTensor(const Frame& frame) {
  Reader reader(frame.payload);
  const std::uint8_t model = reader.U8();
  const std::uint8_t direction = reader.U8();
  const std::uint8_t index = reader.U8();
  if (!reader.complete() || direction > 1) {
    return Refuse(frame, ErrorReason::kBadPayload, "DESCRIBE_TENSOR: length or direction");
  }
  if (model >= models_.size()) return Refuse(frame, ErrorReason::kOutOfRange, "no such model");
  const pilotlight_model_descriptor_t& about = models_[model]->descriptor();
  if (index >= (direction == 0 ? about.input_count : about.output_count)) {
    return Refuse(frame, ErrorReason::kOutOfRange, "no such tensor");
  }
  const pilotlight_tensor_info_t& tensor = (direction == 0 ? about.inputs : about.outputs)[index];
  Start(frame);
  answer_.U8(model);
  answer_.U8(direction);
  answer_.U8(index);
  answer_.U8(tensor.dtype);
  answer_.U32(tensor.rank);
  answer_.F32(tensor.scale);
  answer_.U32(static_cast<std::uint32_t>(tensor.zero_point));
  answer_.U32(tensor.size_bytes);
  for (std::uint8_t i = 0; i < tensor.rank; ++i) {
    answer_.U32(static_cast<std::uint32_t>(tensor.dims[i]));
  }
  answer_.String(tensor.name);
  Send();
}

void Server::SetInput(const Frame& frame) {
  Reader reader(frame.payload);
  const std::uint8_t index = reader.U8();
  const std::uint8_t input = reader.U8();
  const std::uint16_t reserved = reader.U16();
  const std::uint32_t offset = reader.U32();
  const Span<const std::byte> data = reader.Rest();
  if (!reader.ok() || reserved != 0 || data.empty() || data.size() > kMaxChunkBytes) {
    return Refuse(frame, ErrorReason::kBadPayload, "SET_INPUT: length or reserved bytes");
  }
  ModelPort* model = OpenModel(frame, index);
  if (model == nullptr) return;
  const pilotlight_model_descriptor_t& about = model->descriptor();
  if (input >= about.input_count || input >= kMaxInputs ||
      !Contains(about.inputs[input].size_bytes, offset, data.size())) {
    return Refuse(frame, ErrorReason::kOutOfRange, "SET_INPUT: outside the input");
  }
  if (!feeding_ || fed_model_ != index) {
    ForgetTensors();
    feeding_ = true;
    fed_model_ = index;
    model->Poison(PoisonFor(last_run_.number));
  }
  if (offset > filled_bytes_[input]) {
    return Refuse(frame, ErrorReason::kInputIncomplete, "SET_INPUT: leaves a gap");
  }
  std::memcpy(model->Input(input).data() + offset, data.data(), data.size());
  const auto length = static_cast<std::uint32_t>(data.size());
  filled_bytes_[input] = std::max(filled_bytes_[input], offset + length);
  Start(frame);
  answer_.U8(index);
  answer_.U8(input);
  answer_.U16(0);
  answer_.U32(offset);
  answer_.U32(length);
  Send();
}

void Server::Run(const Frame& frame) {
  Reader reader(frame.payload);
  const std::uint8_t index = reader.U8();
  const std::uint8_t continues = reader.U8();
  const std::uint16_t reserved = reader.U16();
  const std::uint32_t number = reader.U32();
  const std::uint32_t deadline_ms = reader.U32();
  if (!reader.complete() || continues > 1 || reserved != 0) {
    return Refuse(frame, ErrorReason::kBadPayload, "RUN: length or reserved bytes");
  }
  ModelPort* model = OpenModel(frame, index);
  if (model == nullptr) return;
  if (number != 0 && number == last_run_.number && index == last_run_.model) {
    return SendRun(frame.sequence);
  }
  if (number != last_run_.number + 1) {
    return Refuse(frame, ErrorReason::kRunNumber, "RUN: neither the next run nor the last");
  }
  if (!feeding_ || fed_model_ != index || !InputsComplete(*model)) {
    return Refuse(frame, ErrorReason::kInputIncomplete, "RUN: an input is not complete");
  }
  last_run_ = LastRun{};
  last_run_.number = number;
  last_run_.model = index;
  if (continues == 0) model->ResetState();
  Infer(*model, device_.NowUs() + deadline_ms * kUsPerMs);
  SendRun(frame.sequence);
}

void Server::Infer(ModelPort& model, std::uint64_t deadline_us) {
  const pilotlight_model_descriptor_t& about = model.descriptor();
  for (std::uint32_t i = 0; i < about.input_count; ++i) {
    last_run_.input_crc = Crc32(model.Input(i), last_run_.input_crc);
  }
  const std::uint64_t start_us = device_.NowUs();
  const std::uint64_t start_cycles = device_.CpuCycles();
  last_run_.inference = model.Run(deadline_us);
  last_run_.cpu_cycles = device_.CpuCycles() - start_cycles;
  last_run_.duration_us = device_.NowUs() - start_us;

  // The port may reuse its text; the answer may be asked for again later.
  const char* text = last_run_.inference.text == nullptr ? "" : last_run_.inference.text;
  std::strncpy(last_run_.text, text, protocol::kMaxStringBytes);

  ForgetTensors();
  if (last_run_.inference.status != Status::kOk) {
    ++runs_failed_;
    return;
  }
  ++runs_ok_;
  outputs_valid_ = true;
  for (std::uint32_t i = 0; i < about.output_count; ++i) {
    last_run_.output_crc = Crc32(model.Output(i), last_run_.output_crc);
  }
}

void Server::SendRun(std::uint16_t sequence) {
  const Inference& inference = last_run_.inference;
  answer_.Start(protocol::AnswerTo(MessageType::kRun), sequence);
  answer_.U32(last_run_.number);
  answer_.U8(static_cast<std::uint8_t>(inference.status));
  answer_.U8(inference.event_count);
  answer_.U16(0);
  answer_.U32(last_run_.input_crc);
  answer_.U32(last_run_.output_crc);
  answer_.U32(facts_.boot_id);
  answer_.U32(inference.npu_status);
  answer_.U64(last_run_.duration_us);
  answer_.U64(last_run_.cpu_cycles);
  answer_.U64(inference.npu_cycles);
  for (std::uint8_t i = 0; i < inference.event_count; ++i) {
    answer_.U32(inference.events[i].event);
    answer_.U32(inference.events[i].count);
  }
  answer_.String(last_run_.text);
  Send();
}

void Server::ReadOutput(const Frame& frame) {
  Reader reader(frame.payload);
  const std::uint8_t index = reader.U8();
  const std::uint8_t output = reader.U8();
  const std::uint16_t length = reader.U16();
  const std::uint32_t offset = reader.U32();
  if (!reader.complete() || length == 0 || length > kMaxChunkBytes) {
    return Refuse(frame, ErrorReason::kBadPayload, "READ_OUTPUT: length");
  }
  ModelPort* model = OpenModel(frame, index);
  if (model == nullptr) return;
  if (!outputs_valid_ || last_run_.model != index) {
    return Refuse(frame, ErrorReason::kNothingToRead, "READ_OUTPUT: no successful run");
  }
  const pilotlight_model_descriptor_t& about = model->descriptor();
  if (output >= about.output_count || !Contains(about.outputs[output].size_bytes, offset, length)) {
    return Refuse(frame, ErrorReason::kOutOfRange, "READ_OUTPUT: outside the output");
  }
  Start(frame);
  answer_.U8(index);
  answer_.U8(output);
  answer_.U16(length);
  answer_.U32(offset);
  answer_.Bytes(model->Output(output).subspan(offset, length));
  Send();
}

void Server::Statistics(const Frame& frame) {
  Reader reader(frame.payload);
  const std::uint8_t index = reader.U8();
  if (!reader.complete()) return Refuse(frame, ErrorReason::kBadPayload, "STATISTICS: length");
  if (index >= models_.size()) return Refuse(frame, ErrorReason::kOutOfRange, "no such model");
  const ModelMemory memory = models_[index]->Memory();
  const PoolUse stack = device_.Stack();
  Start(frame);
  answer_.U32(memory.method_pool.used_bytes);
  answer_.U32(memory.method_pool.size_bytes);
  answer_.U32(memory.temp_pool.used_bytes);
  answer_.U32(memory.temp_pool.size_bytes);
  answer_.U32(memory.planned_bytes);
  answer_.U32(stack.used_bytes);
  answer_.U32(stack.size_bytes);
  answer_.U32(device_.ConsoleOverruns());
  answer_.U32(damaged_since_boot_);
  Send();
}

void Server::End(const Frame& frame) {
  if (frame.payload.size() != 4) return Refuse(frame, ErrorReason::kBadPayload, "END: length");
  Start(frame);
  answer_.Bytes(nonce_);
  answer_.U32(facts_.boot_id);
  answer_.U32(runs_ok_);
  answer_.U32(runs_failed_);
  answer_.U32(damaged_);
  answer_.U32(errors_logged_);
  answer_.U32(device_.ConsoleOverruns());
  answer_.U16(log_sequence_);
  answer_.U16(0);
  Send();
}

void Server::Reset(const Frame& frame) {
  Reader reader(frame.payload);
  const std::uint32_t magic = reader.U32();
  if (!reader.complete() || magic != protocol::kResetMagic) {
    return Refuse(frame, ErrorReason::kBadPayload, "RESET: magic number");
  }
  Start(frame);
  Send();
  reset_requested_ = true;
}

void Server::ReadFault(const Frame& frame) {
  Reader reader(frame.payload);
  const std::size_t offset = reader.U32();
  if (!reader.complete()) return Refuse(frame, ErrorReason::kBadPayload, "READ_FAULT: length");
  const Span<const std::byte> dump = facts_.fault_dump;
  if (offset > dump.size()) {
    return Refuse(frame, ErrorReason::kOutOfRange, "READ_FAULT: beyond the dump's end");
  }
  const std::size_t left = dump.size() - offset;
  Start(frame);
  answer_.U32(static_cast<std::uint32_t>(dump.size()));
  answer_.U32(static_cast<std::uint32_t>(offset));
  answer_.Bytes(dump.subspan(offset, left < kMaxChunkBytes ? left : kMaxChunkBytes));
  Send();
}

bool Server::InputsComplete(ModelPort& model) const {
  const pilotlight_model_descriptor_t& about = model.descriptor();
  if (about.input_count > kMaxInputs) return false;
  for (std::uint32_t i = 0; i < about.input_count; ++i) {
    if (filled_bytes_[i] != about.inputs[i].size_bytes) return false;
  }
  return true;
}

void Server::ForgetTensors() {
  feeding_ = false;
  outputs_valid_ = false;
  for (std::uint32_t& filled : filled_bytes_) filled = 0;
}

void Server::SendNak(Damage damage) {
  answer_.Start(MessageType::kNak, 0);
  answer_.U32(static_cast<std::uint32_t>(damage));
  answer_.U32(damaged_since_boot_);
  Send();
}

void Server::Start(const Frame& request) {
  answer_.Start(protocol::AnswerTo(request.type), request.sequence);
}

void Server::Send() { protocol::WriteFrame(answer_.Finish(), sink_); }

void Server::Refuse(const Frame& request, ErrorReason reason, const char* text, Status status) {
  answer_.Start(MessageType::kError, request.sequence);
  answer_.U8(static_cast<std::uint8_t>(request.type));
  answer_.U8(static_cast<std::uint8_t>(reason));
  answer_.U8(static_cast<std::uint8_t>(status));
  answer_.U8(0);
  answer_.String(text);
  Send();
}

ModelPort* Server::OpenModel(const Frame& request, std::uint8_t index) {
  if (index >= models_.size()) {
    Refuse(request, ErrorReason::kOutOfRange, "no such model");
    return nullptr;
  }
  ModelPort& model = *models_[index];
  if (model.status() != Status::kOk) {
    Refuse(request, ErrorReason::kNotOpen, model.status_text(), model.status());
    return nullptr;
  }
  return &model;
}

}  // namespace pilotlight::check
