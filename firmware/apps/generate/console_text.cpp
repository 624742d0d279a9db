// SPDX-License-Identifier: Apache-2.0
#include "console_text.h"

#include <cstring>

#include "description.h"
#include "pilotlight/base/text.h"
#include "pilotlight/board_config.h"
#include "pilotlight/platform/console.h"
#include "pilotlight/platform/system.h"

namespace pilotlight::generate {

using protocol::BodyWriter;
using protocol::ErrorReason;
using protocol::Frame;
using protocol::PayloadReader;

namespace {

// The text of `token`, terminated. A longer text than the protocol's strings is cut.
struct TokenText {
  explicit TokenText(std::uint16_t token) {
    if (token >= description::kVocabulary) return;
    const std::uint32_t begin = token == 0 ? 0 : description::kTokenEnds[token - 1];
    std::size_t length = description::kTokenEnds[token] - begin;
    if (length > sizeof(bytes)) length = sizeof(bytes);
    std::memcpy(bytes, description::kTokenText + begin, length);
    size = length;
  }
  std::byte bytes[protocol::kMaxStringBytes] = {};
  std::size_t size = 0;
};

}  // namespace

protocol::DeviceSession::App ConsoleText::SessionApp() {
  using protocol::Calls;
  static constexpr protocol::Request kRequests[] = {
      {kDescribeText, Calls<&ConsoleText::DescribeText>},
      {kSampler, Calls<&ConsoleText::SetSampler>},
      {kGenerate, Calls<&ConsoleText::Generate>},
  };
  // The text belongs to the session: another host does not know its tokens.
  const auto new_session = [](void* app) {
    auto& text = *static_cast<ConsoleText*>(app);
    text.generator_->Forget();
    text.sampler_ = Sampler();
    text.report_sequence_ = 0;
  };
  return {this, new_session, kRequests, kMaxChunkBytes, kWindow, 1};
}

void ConsoleText::DescribeText(const Frame& frame) {
  if (!frame.payload.empty()) {
    return session_.Refuse(frame, ErrorReason::kBadPayload, "DESCRIBE_TEXT: length");
  }
  BodyWriter& answer = session_.Answer(frame);
  answer.U32(description::kCrc32);
  answer.U32(description::kVocabulary);
  answer.U32(description::kContext);
  answer.U32(PILOTLIGHT_BOARD_CPU_CLOCK_HZ);
  answer.U16(kMaxTokens);
  answer.U16(0);
  session_.Send();
}

void ConsoleText::SetSampler(const Frame& frame) {
  PayloadReader reader(frame.payload);
  const std::uint64_t seed_low = reader.U32();
  const std::uint64_t seed = seed_low | std::uint64_t{reader.U32()} << 32;
  const std::uint16_t top_k = reader.U16();
  const std::uint16_t count = reader.U16();
  std::uint32_t weights[Sampler::kWeights];
  if (count == Sampler::kWeights) {
    for (std::uint32_t& weight : weights) weight = reader.U32();
  }
  if (!reader.complete() || (count != 0 && count != Sampler::kWeights)) {
    return session_.Refuse(frame, ErrorReason::kBadPayload, "SAMPLER: length");
  }
  if (count == 0) {
    sampler_.UseGreedy();
  } else if (!sampler_.UseWeights(weights, top_k, seed)) {
    return session_.Refuse(frame, ErrorReason::kOutOfRange,
                           "SAMPLER: the first weight is 0, or one is above 65536");
  }
  session_.Answer(frame);
  session_.Send();
}

bool ConsoleText::RefusedAt(const Frame& frame, std::uint32_t position, std::uint32_t history_crc,
                            std::size_t tokens) {
  char text[160];
  if (position != 0 &&
      (position != generator_->position() || history_crc != generator_->history_crc())) {
    Text(text) << "stale cache: the host continues a text of " << std::uint64_t{position}
               << " tokens, the device holds " << std::uint64_t{generator_->position()}
               << " tokens of another one; start a new text";
    session_.Refuse(frame, ErrorReason::kRunNumber, text);
    return true;
  }
  if (position + tokens > description::kContext) {
    Text(text) << "the prompt is too long: " << std::uint64_t{position + tokens}
               << " tokens, and the context has " << std::uint64_t{description::kContext};
    session_.Refuse(frame, ErrorReason::kOutOfRange, text);
    return true;
  }
  return false;
}

void ConsoleText::Generate(const Frame& frame) {
  PayloadReader reader(frame.payload);
  const std::uint32_t position = reader.U32();
  const std::uint32_t history_crc = reader.U32();
  const std::uint16_t count = reader.U16();
  const std::uint16_t stop = reader.U16();
  const std::size_t bytes = frame.payload.size() - kGenerateHeadBytes;
  const std::size_t prompt = bytes / 2;
  if (!reader.ok() || prompt == 0 || bytes % 2 != 0 || prompt > kMaxTokens) {
    return session_.Refuse(frame, ErrorReason::kBadPayload, "GENERATE: length");
  }
  if (open_status_ != PILOTLIGHT_OK) {
    return session_.Refuse(frame, ErrorReason::kNotOpen, generator_->failure(),
                           static_cast<Status>(open_status_));
  }
  if (RefusedAt(frame, position, history_crc, prompt)) return;
  // All tokens are checked before the first step, so that a refused request changes nothing.
  std::uint16_t tokens[kMaxTokens] = {};
  for (std::size_t i = 0; i < prompt; ++i) {
    tokens[i] = reader.U16();
    if (tokens[i] >= description::kVocabulary) {
      return session_.Refuse(frame, ErrorReason::kOutOfRange,
                             "GENERATE: a token is not in the vocabulary");
    }
  }
  if (position == 0) generator_->Forget();
  const Written written = Write({tokens, prompt}, count, stop);
  BodyWriter& answer = session_.Answer(frame);
  answer.U32(generator_->position());
  answer.U32(generator_->history_crc());
  answer.U16(written.sampled);
  answer.U8(static_cast<std::uint8_t>(written.end));
  answer.U8(0);
  answer.U32(static_cast<std::uint32_t>(platform::StackHighWaterBytes()));
  answer.U32(static_cast<std::uint32_t>(platform::StackSizeBytes()));
  answer.U32(platform::ConsoleOverruns());
  answer.U16(report_sequence_);
  answer.U16(0);
  answer.String(written.end == End::kFailed ? generator_->failure() : "");
  session_.Send();
  if (written.end == End::kFailed) generator_->Forget();
}

// The prompt fits the context, because RefusedAt() checked it.
ConsoleText::Written ConsoleText::Write(Span<const std::uint16_t> prompt, std::uint16_t count,
                                        std::uint16_t stop) {
  Written written;
  std::uint16_t token = 0;
  for (std::size_t i = 0; i < prompt.size(); ++i) {
    token = prompt[i];
    if (generator_->Step(token) != PILOTLIGHT_OK) return {0, End::kFailed};
    if (i + 1 < prompt.size() || count == 0) SendStep(token, kNoToken);
  }
  while (written.sampled < count) {
    const auto next = static_cast<std::uint16_t>(sampler_.Next(generator_->logits()));
    ++written.sampled;
    SendStep(token, next);
    token = next;
    if (token == stop) return {written.sampled, End::kStopToken};
    if (written.sampled == count) break;
    if (generator_->position() == description::kContext) {
      return {written.sampled, End::kContextFull};
    }
    if (generator_->Step(token) != PILOTLIGHT_OK) return {written.sampled, End::kFailed};
  }
  return written;
}

void ConsoleText::SendStep(std::uint16_t token, std::uint16_t sampled) {
  const StepCost& cost = generator_->cost();
  const TokenText text(sampled);
  BodyWriter& report = session_.Message(kStep, report_sequence_++);
  report.U32(generator_->position() - 1);
  report.U16(token);
  report.U16(sampled);
  report.U64(cost.npu_cycles);
  report.U64(cost.cpu_cycles);
  report.U64(cost.duration_us);
  report.Bytes({text.bytes, text.size});
  session_.Send();
}

}  // namespace pilotlight::generate
