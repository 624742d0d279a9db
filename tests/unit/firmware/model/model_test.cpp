// SPDX-License-Identifier: Apache-2.0
//
// The model API with a real program and a fake NPU that computes nothing. The test runs on the
// ExecuTorch runtime that the build selects.
#include "pilotlight/model/model.h"

#include <executorch/runtime/backend/interface.h>
#include <executorch/runtime/platform/runtime.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "../ethos_u/fake_npu.h"
#include "../ethos_u/golden_file.h"
#include "pilotlight/base/sha256.h"

namespace pilotlight::model {
namespace {

using test::FakeNpu;
using test::npu_memory;

// Offsets in the memory that the fake NPU sees.
constexpr std::size_t kPlannedAt = 32 * 1024;
constexpr std::size_t kTempAt = 40 * 1024;
constexpr std::size_t kScratchBytes = 1280;
constexpr std::size_t kInputBytes = 64;
constexpr std::size_t kOutputBytes = 10;

std::uint8_t* At(std::size_t offset) {
  return reinterpret_cast<std::uint8_t*>(npu_memory) + offset;
}

// One NPU and one delegate for the process, as in an image. Tests change the NPU's
// behaviour through `Port()`.
FakeNpu& Port() {
  static FakeNpu port;
  return port;
}
ethos_u::Npu& TheNpu() {
  static ethos_u::Npu npu(Port());
  return npu;
}
ethos_u::EthosUBackend* Delegate() {
  static ethos_u::EthosUBackend* const backend = [] {
    executorch::runtime::runtime_init();
    return ethos_u::RegisterBackend(TheNpu()).value();
  }();
  return backend;
}

// A backend whose name is as long as "EthosUBackend", so that a test can replace that name in a
// .pte. The backend's execute() allocates from the pool that init() got.
class GreedyBackend final : public executorch::runtime::BackendInterface {
 public:
  bool is_available() const override { return true; }
  executorch::runtime::Result<executorch::runtime::DelegateHandle*> init(
      executorch::runtime::BackendInitContext& context, executorch::runtime::FreeableBuffer*,
      executorch::runtime::ArrayRef<executorch::runtime::CompileSpec>) const override {
    pool_ = context.get_runtime_allocator();
    return nullptr;
  }
  executorch::runtime::Error execute(
      executorch::runtime::BackendExecutionContext& context, executorch::runtime::DelegateHandle*,
      executorch::runtime::Span<executorch::runtime::EValue*>) const override {
    scratch = context.allocate(16);
    got = asks ? pool_->allocate(24, 8) : nullptr;
    return asks && got == nullptr ? executorch::runtime::Error::MemoryAllocationFailed
                                  : executorch::runtime::Error::Ok;
  }

  bool asks = true;
  mutable void* got = nullptr;
  mutable void* scratch = nullptr;

 private:
  mutable executorch::runtime::MemoryAllocator* pool_ = nullptr;
};

GreedyBackend& Greedy() {
  static GreedyBackend backend;
  static const auto registered = executorch::runtime::register_backend({"GreedyBackend", &backend});
  EXPECT_EQ(registered, executorch::runtime::Error::Ok);
  backend.asks = true;
  return backend;
}

class ModelTest : public testing::Test {
 protected:
  void SetUp() override {
    test::fake_now_us = 0;
    Port() = FakeNpu();
    ASSERT_EQ(TheNpu().Open(), Status::kOk);
    ASSERT_NE(Delegate(), nullptr);
    Embed("cnn_u55_128.pte");
    for (std::size_t i = 0; i < kInputBytes; ++i) sample_.push_back(static_cast<std::byte>(i * 3));
  }

  void Embed(const std::string& name) {
    const std::vector<std::byte> pte = test::GoldenFile(name);
    ASSERT_LE(pte.size(), kPlannedAt);
    std::copy(pte.begin(), pte.end(), npu_memory);
    descriptor_.pte_size_bytes = static_cast<std::uint32_t>(pte.size());
  }

  Status Open() { return model_.Open(descriptor_, Delegate()); }
  void FillSample() { Fill(model_); }
  void Fill(Model& model) {
    std::copy(sample_.begin(), sample_.end(), model.InputBuffer(0).data());
  }
  Status Run() { return model_.Run(test::fake_now_us + 1'000'000); }
  std::vector<std::byte> Output() {
    const Span<const std::byte> output = model_.OutputBuffer(0);
    return {output.begin(), output.end()};
  }

  pilotlight_tensor_info_t input_{
      "x",          PILOTLIGHT_INT8, 4,   {1, 1, 8, 8},
      {0, 1, 2, 3}, 0.018F,          -13, static_cast<std::uint32_t>(kInputBytes)};
  pilotlight_tensor_info_t output_{
      "y",    PILOTLIGHT_INT8, 2, {1, 10},
      {0, 1}, 0.0016F,         3, static_cast<std::uint32_t>(kOutputBytes)};
  pilotlight_arena_t planned_[1] = {{At(kPlannedAt), 256}};
  alignas(16) std::uint8_t method_pool_[16 * 1024];
  pilotlight_model_descriptor_t descriptor_{"cnn",
                                            At(0),
                                            0,
                                            {},
                                            "ethos-u55-128",
                                            &input_,
                                            1,
                                            &output_,
                                            1,
                                            nullptr,
                                            0,
                                            {method_pool_, sizeof(method_pool_)},
                                            planned_,
                                            1,
                                            {At(kTempAt), kScratchBytes},
                                            nullptr,
                                            0,
                                            nullptr,
                                            0,
                                            0,
                                            nullptr,
                                            0};
  std::vector<std::byte> sample_;
  Model model_;
};

TEST_F(ModelTest, GivesTheNpuTheInputAndReturnsWhatItWrote) {
  std::vector<std::byte> seen;
  Port().compute = [&](FakeNpu& npu) {
    std::byte* scratch = npu.Pointer(0x088);
    seen.assign(scratch + 1024, scratch + 1024 + kInputBytes);
    std::fill(scratch, scratch + kOutputBytes, std::byte{42});
  };
  ASSERT_EQ(Open(), Status::kOk) << model_.failure_text();
  FillSample();
  ASSERT_EQ(Run(), Status::kOk) << model_.failure_text();
  EXPECT_EQ(seen, sample_);
  EXPECT_EQ(Output(), std::vector<std::byte>(kOutputBytes, std::byte{42}));
}

TEST_F(ModelTest, NpuThatWritesNothingLeavesThePoisonInTheOutput) {
  Port().compute = [](FakeNpu& npu) {
    std::fill_n(npu.Pointer(0x088), kOutputBytes, std::byte{42});
  };
  ASSERT_EQ(Open(), Status::kOk);
  FillSample();
  ASSERT_EQ(Run(), Status::kOk);

  Port().compute = [](FakeNpu&) {};
  model_.Poison(std::byte{0xA5});
  EXPECT_EQ(Output(), std::vector<std::byte>(kOutputBytes, std::byte{0xA5}));
  FillSample();
  ASSERT_EQ(Run(), Status::kOk);
  EXPECT_EQ(Output(), std::vector<std::byte>(kOutputBytes, std::byte{0xA5}));
}

TEST_F(ModelTest, InputsHaveToBeSetForEachRun) {
  ASSERT_EQ(Open(), Status::kOk);
  EXPECT_EQ(Run(), Status::kBadArgument);
  FillSample();
  EXPECT_EQ(Run(), Status::kOk);
  EXPECT_EQ(Run(), Status::kBadArgument);
  FillSample();
  model_.Poison(std::byte{1});
  EXPECT_EQ(Run(), Status::kBadArgument);
}

TEST_F(ModelTest, InputFilledInPlaceCountsAsSet) {
  ASSERT_EQ(Open(), Status::kOk);
  ASSERT_EQ(model_.InputBuffer(0).size(), kInputBytes);
  EXPECT_EQ(Run(), Status::kOk);
  EXPECT_TRUE(model_.InputBuffer(1).empty());
  EXPECT_TRUE(model_.OutputBuffer(1).empty());
}

TEST_F(ModelTest, WhatWasSetBeforeItWasClosedDoesNotCount) {
  ASSERT_EQ(Open(), Status::kOk);
  FillSample();
  ASSERT_EQ(Run(), Status::kOk);
  FillSample();
  model_.Close();
  ASSERT_EQ(Open(), Status::kOk);
  EXPECT_EQ(model_.last_inference().duration_us, 0u);
  EXPECT_EQ(model_.last_inference().npu.runs, 0u);
  EXPECT_EQ(Run(), Status::kBadArgument);
}

TEST_F(ModelTest, CountsMemoryAndCycles) {
  ASSERT_EQ(Open(), Status::kOk);
  FillSample();
  ASSERT_EQ(Run(), Status::kOk);
  EXPECT_EQ(model_.memory().temp_pool.used_bytes, kScratchBytes);
  EXPECT_EQ(model_.memory().temp_pool.size_bytes, kScratchBytes);
  EXPECT_GT(model_.memory().method_pool.used_bytes, 0u);
  EXPECT_EQ(model_.memory().planned.size_bytes, 256u);
  EXPECT_EQ(model_.last_inference().npu.runs, 1u);
  EXPECT_EQ(model_.last_inference().npu.npu_cycles, 0x0002'00000010u);
  EXPECT_GT(model_.last_inference().duration_us, 0u);
  const std::uint64_t npu_us = model_.last_inference().npu.npu_us;
  EXPECT_GT(npu_us, 0u);
  EXPECT_LE(npu_us, model_.last_inference().duration_us);

  FillSample();
  ASSERT_EQ(Run(), Status::kOk);
  EXPECT_EQ(model_.last_inference().npu.npu_us, npu_us) << "of this inference, not of both";
}

TEST_F(ModelTest, LostInterruptIsATimeoutAndTheNextRunWorks) {
  ASSERT_EQ(Open(), Status::kOk);
  FillSample();
  Port().irq_arrives = false;
  EXPECT_EQ(Run(), Status::kTimeout);
  EXPECT_NE(std::string(model_.failure_text()).find("no NPU interrupt"), std::string::npos);
  EXPECT_EQ(model_.last_inference().npu_status, 0x22u);  // The run ended and raised an interrupt.

  Port().irq_arrives = true;
  FillSample();
  EXPECT_EQ(Run(), Status::kOk) << model_.failure_text();
  EXPECT_EQ(model_.last_inference().npu_status, 0u);
  EXPECT_STREQ(model_.failure_text(), "");
}

TEST_F(ModelTest, ProgramForAnotherNpuIsRefusedAtOpen) {
  Port().config = 0x00003008;
  ASSERT_EQ(TheNpu().Open(), Status::kOk);
  EXPECT_EQ(Open(), Status::kWrongNpu);
  EXPECT_NE(std::string(model_.failure_text()).find("ethos-u55-256"), std::string::npos);
  EXPECT_EQ(Run(), Status::kBadArgument);
}

TEST_F(ModelTest, PoolsThatAreTooSmallAreSaid) {
  descriptor_.temp_pool.size_bytes = kScratchBytes - 32;
  ASSERT_EQ(Open(), Status::kOk);
  FillSample();
  EXPECT_EQ(Run(), Status::kNoMemory);

  Model second;
  descriptor_.method_pool.size_bytes = 64;
  EXPECT_EQ(second.Open(descriptor_, Delegate()), Status::kNoMemory);
  EXPECT_NE(std::string(second.failure_text()).find("method pool too small: 64 bytes"),
            std::string::npos);

  Model third;
  descriptor_.method_pool.size_bytes = sizeof(method_pool_);
  planned_[0].size_bytes = 16;
  EXPECT_EQ(third.Open(descriptor_, Delegate()), Status::kNoMemory);
  EXPECT_STREQ(third.failure_text(), "planned buffer 1 is too small");
}

TEST_F(ModelTest, MethodPoolIsSealedInAnInferenceAndWhoAsksIsToldSo) {
  GreedyBackend& greedy = Greedy();
  const std::string name = "EthosUBackend";
  auto* const pte = reinterpret_cast<char*>(npu_memory);
  auto* const found = std::search(pte, pte + descriptor_.pte_size_bytes, name.begin(), name.end());
  ASSERT_NE(found, pte + descriptor_.pte_size_bytes);
  std::memcpy(found, "GreedyBackend", name.size());
  ASSERT_EQ(Open(), Status::kOk) << model_.failure_text();
  const std::size_t used_bytes = model_.memory().method_pool.used_bytes;

  FillSample();
  EXPECT_EQ(Run(), Status::kNoMemory);
  EXPECT_EQ(greedy.got, nullptr);
  EXPECT_NE(greedy.scratch, nullptr);  // The temp pool is open during an inference.
  EXPECT_STREQ(model_.failure_text(),
               "method pool is sealed after the model is loaded: an inference requested 24 bytes");
  EXPECT_EQ(model_.memory().method_pool.used_bytes, used_bytes);

  greedy.asks = false;
  FillSample();
  EXPECT_EQ(Run(), Status::kOk) << model_.failure_text();
}

TEST_F(ModelTest, DescriptorOfAnotherProgramIsRefused) {
  input_.dims[3] = 7;
  EXPECT_EQ(Open(), Status::kBadModel);
  input_.dims[3] = 8;
  std::swap(input_.dim_order[2], input_.dim_order[3]);  // The same size, in another order.
  EXPECT_EQ(Open(), Status::kBadModel);
  std::swap(input_.dim_order[2], input_.dim_order[3]);
  output_.dtype = PILOTLIGHT_UINT8;
  EXPECT_EQ(Open(), Status::kBadModel);
  EXPECT_NE(std::string(model_.failure_text()).find("output 0"), std::string::npos);
  output_.dtype = PILOTLIGHT_INT8;
  descriptor_.input_count = 0;
  EXPECT_EQ(Open(), Status::kBadModel);
  descriptor_.input_count = 1;
  EXPECT_EQ(Open(), Status::kOk) << model_.failure_text();
}

TEST_F(ModelTest, ProgramThatChangedSinceItWasHashedIsRefused) {
  const Sha256Digest digest = Sha256({npu_memory, descriptor_.pte_size_bytes});
  std::memcpy(descriptor_.pte_sha256, digest.bytes, sizeof(digest.bytes));
  ASSERT_EQ(Open(), Status::kOk) << model_.failure_text();
  model_.Close();
  // Changes a weight, so the program stays well formed.
  npu_memory[descriptor_.pte_size_bytes / 2] ^= std::byte{1};
  EXPECT_EQ(Open(), Status::kBadModel);
  EXPECT_NE(std::string(model_.failure_text()).find("SHA-256"), std::string::npos);
}

TEST_F(ModelTest, ProgramOfAnotherExecuTorchIsRefused) {
  descriptor_.executorch = "0.1.0";
  EXPECT_EQ(Open(), Status::kBadModel);
  EXPECT_NE(std::string(model_.failure_text()).find("0.1.0"), std::string::npos);
}

TEST_F(ModelTest, OperatorThatTheImageLacksIsUnsupported) {
  Embed("cnn_float_io_u55_128.pte");
  planned_[0].size_bytes = 320;
  EXPECT_EQ(Open(), Status::kUnsupported) << model_.failure_text();
}

TEST_F(ModelTest, FileThatIsNoProgramIsRefused) {
  npu_memory[4] = std::byte{'x'};
  EXPECT_EQ(Open(), Status::kBadModel) << model_.failure_text();
  descriptor_.pte_size_bytes = 16;
  EXPECT_EQ(Open(), Status::kBadModel) << model_.failure_text();
}

TEST_F(ModelTest, TwoModelsTakeTurns) {
  static std::uint8_t second_pool[16 * 1024];
  pilotlight_arena_t second_planned[1] = {{At(48 * 1024), 256}};
  pilotlight_model_descriptor_t second_descriptor = descriptor_;
  second_descriptor.method_pool = {second_pool, sizeof(second_pool)};
  second_descriptor.planned_buffers = second_planned;
  Model second;
  ASSERT_EQ(Open(), Status::kOk);
  ASSERT_EQ(second.Open(second_descriptor, Delegate()), Status::kOk);

  std::byte answer{1};
  Port().compute = [&](FakeNpu& npu) { std::fill_n(npu.Pointer(0x088), kOutputBytes, answer); };
  FillSample();
  Fill(second);
  ASSERT_EQ(Run(), Status::kOk);
  answer = std::byte{2};
  ASSERT_EQ(second.Run(test::fake_now_us + 1000), Status::kOk);
  EXPECT_EQ(Output()[0], std::byte{1});
  EXPECT_EQ(second.OutputBuffer(0)[0], std::byte{2});
}

TEST_F(ModelTest, IsOpenedOnce) {
  ASSERT_EQ(Open(), Status::kOk);
  EXPECT_EQ(Open(), Status::kBusy);
}

}  // namespace
}  // namespace pilotlight::model
