// SPDX-License-Identifier: Apache-2.0
#include "server.h"

#include <algorithm>
#include <cstring>

#include "pilotlight/base/crc32.h"
#include "pilotlight/base/sha256.h"

namespace pilotlight::check {

using protocol::BodyWriter;
using protocol::ErrorReason;
using protocol::Frame;
using protocol::MessageType;

namespace {

constexpr std::uint32_t kUsPerMs = 1000;

// The protocol has times in milliseconds. A time above UINT32_MAX us (71 minutes) is limited to
// this value.
std::uint32_t TimeoutUs(std::uint32_t timeout_ms) {
  return timeout_ms < UINT32_MAX / kUsPerMs ? timeout_ms * kUsPerMs : UINT32_MAX;
}

// The pattern changes with each run. Otherwise the poison of one run could pass for the result
// of the next.
std::byte PoisonFor(std::uint32_t run) {
  return static_cast<std::byte>((0xA5u + 59u * run) & 0xFFu);
}

bool Contains(std::uint32_t size_bytes, std::uint32_t offset, std::size_t length) {
  return offset <= size_bytes && length <= size_bytes - offset;
}

}  // namespace

protocol::DeviceSession::App Server::SessionApp() {
  using protocol::Calls;
  static constexpr protocol::Request kRequests[] = {
      {MessageType::kDescribeModel, Calls<&Server::DescribeModel>},
      {MessageType::kDescribeTensor, Calls<&Server::DescribeTensor>},
      {MessageType::kDescribeTie, Calls<&Server::DescribeTie>},
      {MessageType::kSetInput, Calls<&Server::SetInput>},
      {MessageType::kRun, Calls<&Server::Run>},
      {MessageType::kReadOutput, Calls<&Server::ReadOutput>},
      {MessageType::kStatistics, Calls<&Server::Statistics>},
      {MessageType::kEnd, Calls<&Server::End>},
  };
  const auto new_session = [](void* app) { static_cast<Server*>(app)->NewSession(); };
  const auto models = static_cast<std::uint8_t>(models_.size());
  return {this, new_session, kRequests, kMaxChunkBytes, kWindow, models};
}

void Server::NewSession() {
  runs_ok_ = 0;
  runs_failed_ = 0;
  last_run_ = LastRun{};
  ForgetTensors();
}

void Server::DescribeModel(const Frame& frame) {
  Reader reader(frame.payload);
  const std::uint8_t index = reader.U8();
  if (!reader.complete()) {
    return session_.Refuse(frame, ErrorReason::kBadPayload, "DESCRIBE_MODEL: length");
  }
  const ModelPort* model = FindModel(frame, index);
  if (model == nullptr) return;
  const pilotlight_model_descriptor_t& about = model->descriptor();
  const Sha256Digest digest =
      Sha256({reinterpret_cast<const std::byte*>(about.pte), about.pte_size_bytes});
  BodyWriter& answer = session_.Answer(frame);
  answer.U8(index);
  answer.U8(static_cast<std::uint8_t>(model->status()));
  answer.U8(static_cast<std::uint8_t>(about.input_count));
  answer.U8(static_cast<std::uint8_t>(about.output_count));
  answer.U32(about.tie_count);
  answer.U32(about.pte_size_bytes);
  answer.Bytes(digest.bytes);
  answer.String(about.name);
  answer.String(about.npu_config);
  answer.String(model->status_text());
  session_.Send();
}

void Server::DescribeTensor(const Frame& frame) {
  Reader reader(frame.payload);
  const std::uint8_t number = reader.U8();
  const std::uint8_t direction = reader.U8();
  const std::uint8_t index = reader.U8();
  if (!reader.complete() || direction > 1) {
    return session_.Refuse(frame, ErrorReason::kBadPayload, "DESCRIBE_TENSOR: length or direction");
  }
  const ModelPort* model = FindModel(frame, number);
  if (model == nullptr) return;
  const pilotlight_model_descriptor_t& about = model->descriptor();
  if (index >= (direction == 0 ? about.input_count : about.output_count)) {
    return session_.Refuse(frame, ErrorReason::kOutOfRange, "no such tensor");
  }
  const pilotlight_tensor_info_t& tensor = (direction == 0 ? about.inputs : about.outputs)[index];
  BodyWriter& answer = session_.Answer(frame);
  answer.U8(number);
  answer.U8(direction);
  answer.U8(index);
  answer.U8(tensor.dtype);
  answer.U32(tensor.rank);
  answer.F32(tensor.scale);
  answer.U32(static_cast<std::uint32_t>(tensor.zero_point));
  answer.U32(tensor.size_bytes);
  for (std::uint8_t i = 0; i < tensor.rank; ++i) {
    answer.U32(static_cast<std::uint32_t>(tensor.dims[i]));
  }
  answer.String(tensor.name);
  session_.Send();
}

void Server::DescribeTie(const Frame& frame) {
  Reader reader(frame.payload);
  const std::uint8_t number = reader.U8();
  const std::uint8_t index = reader.U8();
  if (!reader.complete()) {
    return session_.Refuse(frame, ErrorReason::kBadPayload, "DESCRIBE_TIE: length");
  }
  const ModelPort* model = FindModel(frame, number);
  if (model == nullptr) return;
  const pilotlight_model_descriptor_t& about = model->descriptor();
  if (index >= about.tie_count) {
    return session_.Refuse(frame, ErrorReason::kOutOfRange, "no such tie");
  }
  const pilotlight_tie_t& tie = about.ties[index];
  BodyWriter& answer = session_.Answer(frame);
  answer.U8(number);
  answer.U8(index);
  answer.U8(static_cast<std::uint8_t>(tie.output));
  answer.U8(static_cast<std::uint8_t>(tie.input));
  answer.U32(static_cast<std::uint8_t>(tie.axis));
  answer.U32(tie.slots);
  answer.U32(tie.block_bytes);
  answer.U32(tie.block_count);
  session_.Send();
}

void Server::SetInput(const Frame& frame) {
  Reader reader(frame.payload);
  const std::uint8_t index = reader.U8();
  const std::uint8_t input = reader.U8();
  const std::uint16_t reserved = reader.U16();
  const std::uint32_t offset = reader.U32();
  const Span<const std::byte> data = reader.Rest();
  if (!reader.ok() || reserved != 0 || data.empty() || data.size() > kMaxChunkBytes) {
    return session_.Refuse(frame, ErrorReason::kBadPayload, "SET_INPUT: length or reserved bytes");
  }
  ModelPort* model = OpenModel(frame, index);
  if (model == nullptr) return;
  const pilotlight_model_descriptor_t& about = model->descriptor();
  if (input >= about.input_count || input >= kMaxInputs ||
      !Contains(about.inputs[input].size_bytes, offset, data.size())) {
    return session_.Refuse(frame, ErrorReason::kOutOfRange, "SET_INPUT: outside the input");
  }
  if (!feeding_ || fed_model_ != index) {
    ForgetTensors();
    feeding_ = true;
    fed_model_ = index;
    model->Poison(PoisonFor(last_run_.number));
  }
  if (offset > filled_bytes_[input]) {
    return session_.Refuse(frame, ErrorReason::kInputIncomplete, "SET_INPUT: leaves a gap");
  }
  std::memcpy(model->Input(input).data() + offset, data.data(), data.size());
  const auto length = static_cast<std::uint32_t>(data.size());
  filled_bytes_[input] = std::max(filled_bytes_[input], offset + length);
  BodyWriter& answer = session_.Answer(frame);
  answer.U8(index);
  answer.U8(input);
  answer.U16(0);
  answer.U32(offset);
  answer.U32(length);
  session_.Send();
}

void Server::Run(const Frame& frame) {
  Reader reader(frame.payload);
  const std::uint8_t index = reader.U8();
  const std::uint8_t continues = reader.U8();
  const std::uint16_t reserved = reader.U16();
  const std::uint32_t number = reader.U32();
  const std::uint32_t deadline_ms = reader.U32();
  if (!reader.complete() || continues > 1 || reserved != 0) {
    return session_.Refuse(frame, ErrorReason::kBadPayload, "RUN: length or reserved bytes");
  }
  ModelPort* model = OpenModel(frame, index);
  if (model == nullptr) return;
  if (number != 0 && number == last_run_.number && index == last_run_.model) {
    return SendRun(frame.sequence);
  }
  if (number != last_run_.number + 1) {
    return session_.Refuse(frame, ErrorReason::kRunNumber,
                           "RUN: neither the next run nor the last");
  }
  if (!feeding_ || fed_model_ != index || !InputsComplete(*model)) {
    return session_.Refuse(frame, ErrorReason::kInputIncomplete, "RUN: an input is not complete");
  }
  last_run_ = LastRun{};
  last_run_.number = number;
  last_run_.model = index;
  if (continues == 0) model->ResetState();
  Infer(*model, TimeoutUs(deadline_ms));
  SendRun(frame.sequence);
}

void Server::Infer(ModelPort& model, std::uint32_t timeout_us) {
  const pilotlight_model_descriptor_t& about = model.descriptor();
  for (std::uint32_t i = 0; i < about.input_count; ++i) {
    last_run_.input_crc = Crc32(model.Input(i), last_run_.input_crc);
  }
  const std::uint64_t start_us = device_.NowUs();
  const std::uint64_t start_cycles = device_.CpuCycles();
  last_run_.status = model.Run(timeout_us);
  last_run_.cpu_cycles = device_.CpuCycles() - start_cycles;
  last_run_.duration_us = device_.NowUs() - start_us;

  // Copied, because the port may reuse its text and the host may ask for the answer again.
  std::strncpy(last_run_.text, model.failure(), protocol::kMaxStringBytes);
  last_run_.statistics = model.Statistics();

  ForgetTensors();
  if (last_run_.status != Status::kOk) {
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
  const pilotlight_statistics_t& statistics = last_run_.statistics;
  const std::uint8_t event_count = statistics.npu_runs == 0 ? 0 : PILOTLIGHT_NPU_EVENTS;
  BodyWriter& answer = session_.Answer(MessageType::kRun, sequence);
  answer.U32(last_run_.number);
  answer.U8(static_cast<std::uint8_t>(last_run_.status));
  answer.U8(event_count);
  answer.U16(0);
  answer.U32(last_run_.input_crc);
  answer.U32(last_run_.output_crc);
  answer.U32(facts_.boot_id);
  answer.U32(statistics.npu_status);
  answer.U64(last_run_.duration_us);
  answer.U64(last_run_.cpu_cycles);
  answer.U64(statistics.npu_cycles);
  for (std::uint8_t i = 0; i < event_count; ++i) {
    answer.U32(statistics.npu_events[i].event);
    answer.U32(statistics.npu_events[i].count);
  }
  answer.String(last_run_.text);
  session_.Send();
}

void Server::ReadOutput(const Frame& frame) {
  Reader reader(frame.payload);
  const std::uint8_t index = reader.U8();
  const std::uint8_t output = reader.U8();
  const std::uint16_t length = reader.U16();
  const std::uint32_t offset = reader.U32();
  if (!reader.complete() || length == 0 || length > kMaxChunkBytes) {
    return session_.Refuse(frame, ErrorReason::kBadPayload, "READ_OUTPUT: length");
  }
  ModelPort* model = OpenModel(frame, index);
  if (model == nullptr) return;
  if (!outputs_valid_ || last_run_.model != index) {
    return session_.Refuse(frame, ErrorReason::kNothingToRead, "READ_OUTPUT: no successful run");
  }
  const pilotlight_model_descriptor_t& about = model->descriptor();
  if (output >= about.output_count || !Contains(about.outputs[output].size_bytes, offset, length)) {
    return session_.Refuse(frame, ErrorReason::kOutOfRange, "READ_OUTPUT: outside the output");
  }
  BodyWriter& answer = session_.Answer(frame);
  answer.U8(index);
  answer.U8(output);
  answer.U16(length);
  answer.U32(offset);
  answer.Bytes(model->Output(output).subspan(offset, length));
  session_.Send();
}

void Server::Statistics(const Frame& frame) {
  Reader reader(frame.payload);
  const std::uint8_t index = reader.U8();
  if (!reader.complete()) {
    return session_.Refuse(frame, ErrorReason::kBadPayload, "STATISTICS: length");
  }
  const ModelPort* model = FindModel(frame, index);
  if (model == nullptr) return;
  const pilotlight_statistics_t memory = model->Statistics();
  const pilotlight_pool_use_t stack = device_.Stack();
  BodyWriter& answer = session_.Answer(frame);
  answer.U32(memory.method_pool.used_bytes);
  answer.U32(memory.method_pool.size_bytes);
  answer.U32(memory.temp_pool.used_bytes);
  answer.U32(memory.temp_pool.size_bytes);
  answer.U32(memory.planned.size_bytes);
  answer.U32(stack.used_bytes);
  answer.U32(stack.size_bytes);
  answer.U32(device_.ConsoleOverruns());
  answer.U32(session_.damaged_since_boot());
  session_.Send();
}

void Server::End(const Frame& frame) {
  if (frame.payload.size() != 4) {
    return session_.Refuse(frame, ErrorReason::kBadPayload, "END: length");
  }
  BodyWriter& answer = session_.Answer(frame);
  answer.Bytes(session_.nonce());
  answer.U32(facts_.boot_id);
  answer.U32(runs_ok_);
  answer.U32(runs_failed_);
  answer.U32(session_.damaged());
  answer.U32(session_.errors_logged());
  answer.U32(device_.ConsoleOverruns());
  answer.U16(session_.log_sequence());
  answer.U16(0);
  session_.Send();
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

ModelPort* Server::FindModel(const Frame& request, std::uint8_t index) {
  if (index < models_.size()) return models_[index];
  session_.Refuse(request, ErrorReason::kOutOfRange, "no such model");
  return nullptr;
}

ModelPort* Server::OpenModel(const Frame& request, std::uint8_t index) {
  ModelPort* model = FindModel(request, index);
  if (model == nullptr || model->status() == Status::kOk) return model;
  session_.Refuse(request, ErrorReason::kNotOpen, model->status_text(), model->status());
  return nullptr;
}

}  // namespace pilotlight::check
