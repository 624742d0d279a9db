// SPDX-License-Identifier: Apache-2.0
//
// Properties of the server that hold for any host. tests/unit/python/link/test_firmware_server.py
// tests whole sessions from Python, with the same server as a process.
#include "server.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace pilotlight::check {
namespace {

using protocol::ErrorReason;
using protocol::Frame;
using protocol::FrameDecoder;
using protocol::MessageType;
using Bytes = std::vector<std::byte>;

constexpr std::uint32_t kInputBytes = 8;
constexpr std::uint32_t kOutputBytes = 4;

// Adds 1 to the first four input bytes. The model keeps a copy of its memory from before the input
// arrived.
class FakeModel final : public ModelPort {
 public:
  const pilotlight_model_descriptor_t& descriptor() const override { return about; }
  Status status() const override { return open_status; }
  const char* status_text() const override { return "it does not load"; }
  Span<std::byte> Input(std::uint32_t) override { return {memory, kInputBytes}; }
  Span<const std::byte> Output(std::uint32_t) override {
    return {memory + kInputBytes, kOutputBytes};
  }
  void Poison(std::byte pattern) override {
    poisons.push_back(pattern);
    std::fill(std::begin(memory), std::end(memory), pattern);
  }
  void ResetState() override { state = 0; }
  Status Run(std::uint32_t timeout_us) override {
    ++runs;
    ++state;
    last_timeout_us = timeout_us;
    if (!writes_output) return run_status;
    for (std::uint32_t i = 0; i < kOutputBytes; ++i) {
      memory[kInputBytes + i] = static_cast<std::byte>(std::to_integer<unsigned>(memory[i]) + 1);
    }
    return run_status;
  }
  const char* failure() const override {
    return run_status == Status::kOk ? "" : "it was made to fail";
  }
  pilotlight_statistics_t Statistics() const override {
    pilotlight_statistics_t statistics{};
    statistics.method_pool = {1, 2};
    statistics.temp_pool = {3, 4};
    statistics.planned = {5, 5};
    return statistics;
  }

  std::byte memory[kInputBytes + kOutputBytes] = {};
  Status open_status = Status::kOk;
  Status run_status = Status::kOk;
  bool writes_output = true;
  int runs = 0;
  int state = 0;  // Runs since the last reset of the state.
  std::uint32_t last_timeout_us = 0;
  std::vector<std::byte> poisons;

  const pilotlight_tensor_info_t input_ = {"x", PILOTLIGHT_INT8, 1, {8}, {0}, 0.5f,
                                           -3,  kInputBytes};
  const pilotlight_tensor_info_t output_ = {"y", PILOTLIGHT_INT8, 1, {4},
                                            {0}, 0.25f,           7, kOutputBytes};
  const std::uint8_t pte_[4] = {'p', 't', 'e', '!'};
  pilotlight_model_descriptor_t about = [this] {
    pilotlight_model_descriptor_t one{};
    one.name = "fake";
    one.pte = pte_;
    one.pte_size_bytes = sizeof pte_;
    one.npu_config = "ethos-u55-128";
    one.inputs = &input_;
    one.input_count = 1;
    one.outputs = &output_;
    one.output_count = 1;
    return one;
  }();
};

struct FakeDevice final : Device {
  std::uint64_t NowUs() override { return 5000; }
  std::uint64_t CpuCycles() override { return 0; }
  pilotlight_pool_use_t Stack() override { return {100, 200}; }
  std::uint32_t ConsoleOverruns() override { return 0; }
};

struct Answer {
  MessageType type;
  std::uint16_t sequence;
  Bytes payload;
};

struct FrameSink final : protocol::ByteSink {
  void Write(Span<const std::byte> bytes) override {
    for (const std::byte byte : bytes) {
      if (decoder.Feed(byte) != FrameDecoder::Event::kFrame) continue;
      const Frame& frame = decoder.frame();
      answers.push_back(
          {frame.type, frame.sequence, Bytes(frame.payload.begin(), frame.payload.end())});
    }
  }
  std::byte buffer[2048];
  FrameDecoder decoder{buffer};
  std::vector<Answer> answers;
};

struct CheckServer : testing::Test {
  Answer Ask(MessageType type, std::initializer_list<unsigned> payload) {
    struct Collect final : protocol::ByteSink {
      void Write(Span<const std::byte> bytes) override {
        wire.insert(wire.end(), bytes.begin(), bytes.end());
      }
      Bytes wire;
    } collect;
    std::byte buffer[512];
    protocol::BodyWriter body(buffer);
    body.Start(type, ++sequence);
    for (const unsigned byte : payload) body.U8(static_cast<std::uint8_t>(byte));
    protocol::WriteFrame(body.Finish(), collect);
    server.session().Receive({collect.wire.data(), collect.wire.size()});
    return sink.answers.back();
  }
  Answer Identify(unsigned nonce = 1) {
    return Ask(MessageType::kIdentify, {nonce, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
  }
  Answer Feed() {
    return Ask(MessageType::kSetInput, {0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8});
  }
  Answer Run(unsigned number, unsigned continues = 0) {
    return Ask(MessageType::kRun, {0, continues, 0, 0, number, 0, 0, 0, 10, 0, 0, 0});
  }
  Answer Read() { return Ask(MessageType::kReadOutput, {0, 0, kOutputBytes, 0, 0, 0, 0, 0}); }

  static ErrorReason ReasonOf(const Answer& answer) {
    EXPECT_EQ(answer.type, MessageType::kError);
    return static_cast<ErrorReason>(answer.payload.at(1));
  }

  FakeModel model;
  ModelPort* models[1] = {&model};
  FakeDevice device;
  FrameSink sink;
  DeviceFacts facts{"0123456789abcdef", "test", "ethos-u55-128", Status::kOk, "", 77, 1000, {}};
  Server server{facts, models, device, sink};
  std::uint16_t sequence = 0;
};

TEST_F(CheckServer, RunsAndAnswersTheOutput) {
  Identify();
  Feed();
  EXPECT_EQ(Run(1).type, protocol::AnswerTo(MessageType::kRun));
  const Answer output = Read();

  ASSERT_EQ(output.payload.size(), 12u);
  EXPECT_EQ(output.payload[8], std::byte{2});
  EXPECT_EQ(output.payload[11], std::byte{5});
  EXPECT_EQ(model.last_timeout_us, 10'000u);
}

TEST_F(CheckServer, NothingIsServedBeforeASession) {
  EXPECT_EQ(ReasonOf(Feed()), ErrorReason::kNoSession);
  EXPECT_EQ(ReasonOf(Run(1)), ErrorReason::kNoSession);
  EXPECT_EQ(ReasonOf(Ask(MessageType::kEnd, {0, 0, 0, 0})), ErrorReason::kNoSession);
}

TEST_F(CheckServer, MemoryIsPoisonedBeforeEachInputAndNeverAlikeTwice) {
  Identify();
  for (unsigned run = 1; run <= 3; ++run) {
    Feed();
    Run(run);
  }

  ASSERT_EQ(model.poisons.size(), 3u);
  EXPECT_NE(model.poisons[0], model.poisons[1]);
  EXPECT_NE(model.poisons[1], model.poisons[2]);
}

TEST_F(CheckServer, EachRunBeginsWithTheInitialStateUnlessItGoesOn) {
  Identify();
  const unsigned continues[] = {0, 0, 1, 1, 0};
  const int states[] = {1, 1, 2, 3, 1};
  for (unsigned run = 0; run < 5; ++run) {
    Feed();
    Run(run + 1, continues[run]);
    EXPECT_EQ(model.state, states[run]) << "run " << run + 1;
  }
  Run(5, 0);  // The server answers from memory: it has done this run.
  EXPECT_EQ(model.state, 1);
  Feed();
  EXPECT_EQ(ReasonOf(Run(6, 2)), ErrorReason::kBadPayload);
  EXPECT_EQ(model.runs, 5);
}

TEST_F(CheckServer, InferenceThatWritesNothingAnswersPoisonNotTheLastResult) {
  Identify();
  Feed();
  Run(1);
  model.writes_output = false;
  Feed();
  Run(2);
  const Answer output = Read();

  EXPECT_EQ(output.payload.at(8), model.poisons.back());
}

TEST_F(CheckServer, RunAskedForTwiceIsDoneOnce) {
  Identify();
  Feed();
  const Answer first = Run(1);
  const Answer second = Run(1);

  EXPECT_EQ(model.runs, 1);
  EXPECT_EQ(first.payload, second.payload);
  EXPECT_EQ(second.sequence, sequence);
}

TEST_F(CheckServer, RunNumberThatIsNeitherNextNorLastIsRefused) {
  Identify();
  Feed();
  EXPECT_EQ(ReasonOf(Run(0)), ErrorReason::kRunNumber);
  EXPECT_EQ(ReasonOf(Run(2)), ErrorReason::kRunNumber);
  EXPECT_EQ(model.runs, 0);
}

TEST_F(CheckServer, RunWithoutItsInputIsRefused) {
  Identify();
  EXPECT_EQ(ReasonOf(Run(1)), ErrorReason::kInputIncomplete);
  Ask(MessageType::kSetInput, {0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4});
  EXPECT_EQ(ReasonOf(Run(1)), ErrorReason::kInputIncomplete);
  Feed();
  Run(1);
  EXPECT_EQ(ReasonOf(Run(2)), ErrorReason::kInputIncomplete) << "the input of run 1 was used again";
}

TEST_F(CheckServer, ModelWithMoreInputsThanThereIsRoomForNeverRuns) {
  const pilotlight_tensor_info_t nothing{"x", PILOTLIGHT_INT8, 1, {0}, {0}, 0.5f, 0, 0};
  std::vector<pilotlight_tensor_info_t> inputs(kMaxInputs + 1, nothing);
  inputs[0] = *model.about.inputs;
  model.about.inputs = inputs.data();
  model.about.input_count = kMaxInputs;
  Identify();
  Feed();
  EXPECT_EQ(Run(1).type, protocol::AnswerTo(MessageType::kRun));
  model.about.input_count = kMaxInputs + 1;
  Feed();
  EXPECT_EQ(ReasonOf(Run(2)), ErrorReason::kInputIncomplete);
  EXPECT_EQ(model.runs, 1);
}

TEST_F(CheckServer, InputsAndOutputsAreDescribedEachAsItself) {
  Identify();
  const Answer input = Ask(MessageType::kDescribeTensor, {0, 0, 0});
  const Answer output = Ask(MessageType::kDescribeTensor, {0, 1, 0});
  const auto names = [](const Answer& answer, char letter) {
    return std::count(answer.payload.begin(), answer.payload.end(), static_cast<std::byte>(letter));
  };
  EXPECT_EQ(input.type, protocol::AnswerTo(MessageType::kDescribeTensor));
  EXPECT_TRUE(names(input, 'x') == 1 && names(input, 'y') == 0);
  EXPECT_TRUE(names(output, 'x') == 0 && names(output, 'y') == 1);
  EXPECT_EQ(ReasonOf(Ask(MessageType::kDescribeTensor, {0, 0, 1})), ErrorReason::kOutOfRange);
  EXPECT_EQ(ReasonOf(Ask(MessageType::kDescribeTensor, {0, 1, 1})), ErrorReason::kOutOfRange);
  EXPECT_EQ(ReasonOf(Ask(MessageType::kDescribeTensor, {0, 2, 0})), ErrorReason::kBadPayload);
}

TEST_F(CheckServer, TieThatDoesNotExistIsRefused) {
  Identify();
  EXPECT_EQ(ReasonOf(Ask(MessageType::kDescribeTie, {0, 0})), ErrorReason::kOutOfRange);
  EXPECT_EQ(ReasonOf(Ask(MessageType::kDescribeTie, {1, 0})), ErrorReason::kOutOfRange);
  EXPECT_EQ(ReasonOf(Ask(MessageType::kDescribeTie, {0})), ErrorReason::kBadPayload);
}

TEST_F(CheckServer, PieceThatLeavesAGapIsRefused) {
  Identify();
  EXPECT_EQ(ReasonOf(Ask(MessageType::kSetInput, {0, 0, 0, 0, 4, 0, 0, 0, 5, 6, 7, 8})),
            ErrorReason::kInputIncomplete);
}

TEST_F(CheckServer, PieceOutsideTheInputIsRefused) {
  Identify();
  EXPECT_EQ(ReasonOf(Ask(MessageType::kSetInput, {0, 0, 0, 0, 7, 0, 0, 0, 5, 6})),
            ErrorReason::kOutOfRange);
  EXPECT_EQ(ReasonOf(Ask(MessageType::kSetInput, {0, 0, 0, 0, 255, 255, 255, 255, 5, 6})),
            ErrorReason::kOutOfRange);
  EXPECT_EQ(ReasonOf(Ask(MessageType::kSetInput, {0, 1, 0, 0, 0, 0, 0, 0, 5})),
            ErrorReason::kOutOfRange);
  EXPECT_EQ(ReasonOf(Ask(MessageType::kSetInput, {1, 0, 0, 0, 0, 0, 0, 0, 5})),
            ErrorReason::kOutOfRange);
}

TEST_F(CheckServer, OutputIsUnreadableOnceTheNextInputBegins) {
  Identify();
  EXPECT_EQ(ReasonOf(Read()), ErrorReason::kNothingToRead);
  Feed();
  Run(1);
  EXPECT_EQ(Read().type, protocol::AnswerTo(MessageType::kReadOutput));
  Feed();
  EXPECT_EQ(ReasonOf(Read()), ErrorReason::kNothingToRead);
}

TEST_F(CheckServer, FailedRunHasNoOutputAndIsCounted) {
  Identify();
  Feed();
  model.run_status = Status::kDeviceFault;
  const Answer run = Run(1);

  EXPECT_EQ(run.payload.at(4), static_cast<std::byte>(Status::kDeviceFault));
  EXPECT_EQ(ReasonOf(Read()), ErrorReason::kNothingToRead);
  const Answer end = Ask(MessageType::kEnd, {1, 0, 0, 0});
  EXPECT_EQ(end.payload.at(20), std::byte{0}) << "successful runs";
  EXPECT_EQ(end.payload.at(24), std::byte{1}) << "failed runs";
}

TEST_F(CheckServer, NewNonceStartsAfreshAndTheSameNonceDoesNot) {
  Identify(1);
  Feed();
  Run(1);
  Identify(1);
  EXPECT_EQ(Ask(MessageType::kEnd, {1, 0, 0, 0}).payload.at(20), std::byte{1});
  Identify(2);
  EXPECT_EQ(Ask(MessageType::kEnd, {1, 0, 0, 0}).payload.at(20), std::byte{0});
  EXPECT_EQ(ReasonOf(Read()), ErrorReason::kNothingToRead);
}

TEST_F(CheckServer, ModelThatDidNotLoadSaysWhy) {
  model.open_status = Status::kWrongNpu;
  Identify();
  const Answer refusal = Feed();

  EXPECT_EQ(ReasonOf(refusal), ErrorReason::kNotOpen);
  EXPECT_EQ(refusal.payload.at(2), static_cast<std::byte>(Status::kWrongNpu));
  EXPECT_EQ(model.poisons.size(), 0u);
}

TEST_F(CheckServer, GarbageIsAnsweredWithNakAndCounted) {
  Identify();
  const std::byte garbage[] = {std::byte{3}, std::byte{1}, std::byte{1}, std::byte{0}};
  server.session().Receive(garbage);

  EXPECT_EQ(sink.answers.back().type, MessageType::kNak);
  EXPECT_EQ(Ask(MessageType::kEnd, {0, 0, 0, 0}).payload.at(28), std::byte{1});
}

TEST_F(CheckServer, ErrorsLoggedAreCountedAndLinesAreNumbered) {
  Identify();
  server.session().Log(1, "fine", 4);
  server.session().Log(2, "bad", 3);
  EXPECT_EQ(sink.answers.back().sequence, 1u);
  const Answer end = Ask(MessageType::kEnd, {0, 0, 0, 0});

  EXPECT_EQ(end.payload.at(32), std::byte{1}) << "errors";
  EXPECT_EQ(end.payload.at(40), std::byte{2}) << "next log line";
}

TEST_F(CheckServer, LongLogLineIsCut) {
  const std::string line(5000, 'x');
  server.session().Log(1, line.c_str(), line.size());

  EXPECT_EQ(sink.answers.back().payload.size(), 1 + protocol::kMaxLogBytes);
}

TEST_F(CheckServer, ResetNeedsItsMagicNumber) {
  Ask(MessageType::kReset, {1, 2, 3, 4});
  EXPECT_FALSE(server.session().reset_requested());
  Ask(MessageType::kReset, {'R', 'S', 'E', 'T'});
  EXPECT_TRUE(server.session().reset_requested());
}

TEST_F(CheckServer, PayloadsOfAnyLengthNeverDisturbIt) {
  Identify();
  for (unsigned type = 2; type < 0x20; ++type) {
    if (type == static_cast<unsigned>(MessageType::kReset)) continue;
    for (unsigned fill = 0; fill < 256; fill += 85) {
      Ask(static_cast<MessageType>(type), {});
      Ask(static_cast<MessageType>(type), {fill});
      Ask(static_cast<MessageType>(type), {fill, fill, fill});
      Ask(static_cast<MessageType>(type), {fill, fill, fill, fill, fill, fill, fill, fill});
      Ask(static_cast<MessageType>(type),
          {fill, fill, fill, fill, fill, fill, fill, fill, fill, fill, fill, fill, fill});
    }
  }
  Identify(9);
  Feed();
  EXPECT_EQ(Run(1).payload.at(4), std::byte{0});
}

}  // namespace
}  // namespace pilotlight::check
