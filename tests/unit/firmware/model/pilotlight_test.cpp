// SPDX-License-Identifier: Apache-2.0
//
// The C API with a real program and a fake NPU that computes nothing. A process is one
// image, and pilotlight_init() succeeds only once in it. So SetUpTestSuite() calls it, and
// first records how pilotlight_open() fails without it.
#include "pilotlight/pilotlight.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "../ethos_u/fake_npu.h"
#include "../ethos_u/golden_file.h"
#include "pilotlight/base/status.h"
#include "pilotlight/models.h"
#include "pilotlight/platform/npu_port.h"

extern "C" int pilotlight_c_can_use_the_header(pilotlight_model_t* model);

namespace {

namespace test = pilotlight::test;

constexpr std::size_t kPlannedAt = 32 * 1024;
constexpr std::size_t kTempAt = 40 * 1024;
constexpr std::size_t kInputBytes = 64;
constexpr std::size_t kOutputBytes = 10;

test::FakeNpu& Port() {
  static test::FakeNpu port;
  return port;
}

int registrations = 0;

struct Lock {
  int held = 0;
  int taken = 0;
  std::uint64_t looks = 0;
};
Lock app_lock;

pilotlight_options_t AppOptions() {
  pilotlight_options_t options{};
  options.hooks.context = &app_lock;
  options.hooks.lock = [](void* context) {
    auto& lock = *static_cast<Lock*>(context);
    ++lock.held;
    ++lock.taken;
  };
  options.hooks.unlock = [](void* context) { --static_cast<Lock*>(context)->held; };
  return options;
}

std::uint8_t* At(std::size_t offset) {
  return reinterpret_cast<std::uint8_t*>(test::npu_memory) + offset;
}

class PilotlightTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    EXPECT_EQ(pilotlight_open(&early_, &AnyDescriptor()), PILOTLIGHT_BAD_ARGUMENT);
    early_failure_ = pilotlight_failure(&early_);

    pilotlight_options_t crooked = AppOptions();
    crooked.fast_scratch = At(8);
    crooked.fast_scratch_bytes = 64;
    EXPECT_EQ(pilotlight_init(&crooked), PILOTLIGHT_BAD_ARGUMENT);

    const pilotlight_options_t options = AppOptions();
    EXPECT_EQ(pilotlight_init(&options), PILOTLIGHT_OK) << pilotlight_init_failure();
    EXPECT_EQ(app_lock.held, 0);
  }

  void SetUp() override {
    Port() = test::FakeNpu();
    const std::vector<std::byte> pte = test::GoldenFile("cnn_u55_128.pte");
    ASSERT_LE(pte.size(), kPlannedAt);
    std::copy(pte.begin(), pte.end(), test::npu_memory);
    descriptor_.pte_size_bytes = static_cast<std::uint32_t>(pte.size());
  }

  void TearDown() override { pilotlight_close(&model_); }

  static const pilotlight_model_descriptor_t& AnyDescriptor() {
    static const pilotlight_model_descriptor_t any{};
    return any;
  }

  static inline pilotlight_model_t early_{};
  static inline std::string early_failure_;

  pilotlight_tensor_info_t input_{
      "x",          PILOTLIGHT_INT8, 4,   {1, 1, 8, 8},
      {0, 1, 2, 3}, 0.018F,          -13, static_cast<std::uint32_t>(kInputBytes)};
  pilotlight_tensor_info_t output_{
      "y",    PILOTLIGHT_INT8, 2, {1, 10},
      {0, 1}, 0.0016F,         3, static_cast<std::uint32_t>(kOutputBytes)};
  pilotlight_arena_t planned_[1] = {{At(kPlannedAt), 256}};
  alignas(16) std::uint8_t method_pool_[16 * 1024];
  pilotlight_model_descriptor_t descriptor_ = [this] {
    pilotlight_model_descriptor_t descriptor{};
    descriptor.name = "cnn";
    descriptor.pte = At(0);
    descriptor.npu_config = "ethos-u55-128";
    descriptor.inputs = &input_;
    descriptor.input_count = 1;
    descriptor.outputs = &output_;
    descriptor.output_count = 1;
    descriptor.method_pool = {method_pool_, sizeof(method_pool_)};
    descriptor.planned_buffers = planned_;
    descriptor.planned_buffer_count = 1;
    descriptor.temp_pool = {At(kTempAt), 1280};
    return descriptor;
  }();
  pilotlight_model_t model_{};
};

TEST_F(PilotlightTest, NothingOpensBeforeInitialisation) {
  EXPECT_NE(early_failure_.find("pilotlight_init"), std::string::npos);
}

TEST_F(PilotlightTest, InitialisationRegistersTheOperatorsOnceAndNamesTheNpu) {
  EXPECT_EQ(registrations, 1);
  EXPECT_STREQ(pilotlight_npu(), "ethos-u55-128");
  EXPECT_EQ(pilotlight_init(nullptr), PILOTLIGHT_BUSY);
  EXPECT_EQ(registrations, 1);
}

TEST_F(PilotlightTest, AnInferenceReadsTheInputThatWasFilledInPlace) {
  std::vector<std::byte> seen;
  Port().compute = [&](test::FakeNpu& npu) {
    std::byte* scratch = npu.Pointer(0x088);
    seen.assign(scratch + 1024, scratch + 1024 + kInputBytes);
    std::fill(scratch, scratch + kOutputBytes, std::byte{42});
    EXPECT_EQ(app_lock.held, 1) << "the NPU runs without the app's lock";
  };
  ASSERT_EQ(pilotlight_open(&model_, &descriptor_), PILOTLIGHT_OK) << pilotlight_failure(&model_);
  const pilotlight_tensor_t input = pilotlight_input(&model_, 0);
  ASSERT_EQ(input.size_bytes, kInputBytes);
  EXPECT_STREQ(input.info->name, "x");
  std::vector<std::byte> sample;
  for (std::size_t i = 0; i < kInputBytes; ++i) sample.push_back(static_cast<std::byte>(i * 3));
  std::memcpy(input.data, sample.data(), sample.size());
  ASSERT_EQ(pilotlight_run(&model_, 1'000'000), PILOTLIGHT_OK) << pilotlight_failure(&model_);
  EXPECT_EQ(seen, sample);
  const pilotlight_tensor_t output = pilotlight_output(&model_, 0);
  ASSERT_EQ(output.size_bytes, kOutputBytes);
  EXPECT_EQ(static_cast<const std::uint8_t*>(output.data)[kOutputBytes - 1], 42);
  EXPECT_EQ(app_lock.held, 0);

  const pilotlight_statistics_t statistics = pilotlight_stats(&model_);
  EXPECT_EQ(statistics.npu_runs, 1u);
  EXPECT_EQ(statistics.temp_pool.used_bytes, 1280u);
  EXPECT_EQ(statistics.planned.size_bytes, 256u);
}

TEST_F(PilotlightTest, AnInputHasToBeAskedForBeforeEachRun) {
  ASSERT_EQ(pilotlight_open(&model_, &descriptor_), PILOTLIGHT_OK);
  EXPECT_EQ(pilotlight_run(&model_, 1'000'000), PILOTLIGHT_BAD_ARGUMENT);
  EXPECT_NE(std::string(pilotlight_failure(&model_)).find("input"), std::string::npos);
  pilotlight_input(&model_, 0);
  EXPECT_EQ(pilotlight_run(&model_, 1'000'000), PILOTLIGHT_OK);
  EXPECT_STREQ(pilotlight_failure(&model_), "");
}

TEST_F(PilotlightTest, AModelOpensOnceAndOpensAgainWhenClosed) {
  ASSERT_EQ(pilotlight_open(&model_, &descriptor_), PILOTLIGHT_OK);
  EXPECT_EQ(pilotlight_open(&model_, &descriptor_), PILOTLIGHT_BUSY);
  pilotlight_close(&model_);
  EXPECT_EQ(pilotlight_input_count(&model_), 0u);
  EXPECT_EQ(pilotlight_run(&model_, 1000), PILOTLIGHT_BAD_ARGUMENT);
  ASSERT_EQ(pilotlight_open(&model_, &descriptor_), PILOTLIGHT_OK) << pilotlight_failure(&model_);
  EXPECT_EQ(pilotlight_input_count(&model_), 1u);
}

TEST_F(PilotlightTest, TwoModelsAreOpenAtTheSameTime) {
  pilotlight_model_t second{};
  alignas(16) static std::uint8_t second_pool[16 * 1024];
  pilotlight_model_descriptor_t other = descriptor_;
  other.method_pool = {second_pool, sizeof(second_pool)};
  ASSERT_EQ(pilotlight_open(&model_, &descriptor_), PILOTLIGHT_OK);
  ASSERT_EQ(pilotlight_open(&second, &other), PILOTLIGHT_OK) << pilotlight_failure(&second);
  for (pilotlight_model_t* model : {&model_, &second, &model_}) {
    pilotlight_input(model, 0);
    EXPECT_EQ(pilotlight_run(model, 1'000'000), PILOTLIGHT_OK) << pilotlight_failure(model);
  }
  pilotlight_close(&second);
}

TEST_F(PilotlightTest, WhatThereIsNotIsNullAndNeverACrash) {
  pilotlight_model_t closed{};
  EXPECT_EQ(pilotlight_input(&closed, 0).data, nullptr);
  EXPECT_EQ(pilotlight_output(&closed, 0).info, nullptr);
  EXPECT_EQ(pilotlight_run(&closed, 1), PILOTLIGHT_BAD_ARGUMENT);
  EXPECT_EQ(pilotlight_stats(&closed).planned.size_bytes, 0u);
  EXPECT_STRNE(pilotlight_failure(&closed), "");
  pilotlight_poison(&closed, 1);
  EXPECT_EQ(pilotlight_reset_state(&closed), PILOTLIGHT_BAD_ARGUMENT);
  pilotlight_close(&closed);
  EXPECT_EQ(pilotlight_open(nullptr, &descriptor_), PILOTLIGHT_BAD_ARGUMENT);
  EXPECT_EQ(pilotlight_open(&closed, nullptr), PILOTLIGHT_BAD_ARGUMENT);
  ASSERT_EQ(pilotlight_open(&model_, &descriptor_), PILOTLIGHT_OK);
  EXPECT_EQ(pilotlight_input(&model_, 1).data, nullptr);
  EXPECT_EQ(pilotlight_output(&model_, 1).data, nullptr);
}

TEST_F(PilotlightTest, AFailedRunSaysWhyAndTheNextOneWorks) {
  ASSERT_EQ(pilotlight_open(&model_, &descriptor_), PILOTLIGHT_OK);
  Port().irq_arrives = false;
  pilotlight_input(&model_, 0);
  EXPECT_EQ(pilotlight_run(&model_, 1000), PILOTLIGHT_TIMEOUT);
  EXPECT_STRNE(pilotlight_failure(&model_), "");
  EXPECT_EQ(app_lock.held, 0);
  Port().irq_arrives = true;
  pilotlight_input(&model_, 0);
  EXPECT_EQ(pilotlight_run(&model_, 1'000'000), PILOTLIGHT_OK) << pilotlight_failure(&model_);
}

TEST_F(PilotlightTest, PoisonReachesInputsAndOutputsAndAsksForInputsAgain) {
  ASSERT_EQ(pilotlight_open(&model_, &descriptor_), PILOTLIGHT_OK);
  const auto* input = static_cast<const std::uint8_t*>(pilotlight_input(&model_, 0).data);
  pilotlight_poison(&model_, 0xA5);
  EXPECT_EQ(input[0], 0xA5);
  EXPECT_EQ(static_cast<const std::uint8_t*>(pilotlight_output(&model_, 0).data)[0], 0xA5);
  EXPECT_EQ(pilotlight_run(&model_, 1'000'000), PILOTLIGHT_BAD_ARGUMENT);
}

TEST_F(PilotlightTest, AModelWithoutStateHasNothingToReset) {
  ASSERT_EQ(pilotlight_open(&model_, &descriptor_), PILOTLIGHT_OK);
  pilotlight_input(&model_, 0);
  EXPECT_EQ(pilotlight_reset_state(&model_), PILOTLIGHT_OK);
  EXPECT_EQ(pilotlight_run(&model_, 1'000'000), PILOTLIGHT_OK) << pilotlight_failure(&model_);
  pilotlight_close(&model_);
  EXPECT_EQ(pilotlight_reset_state(&model_), PILOTLIGHT_BAD_ARGUMENT);
}

TEST_F(PilotlightTest, EveryStatusHasATextOfItsOwn) {
  std::vector<std::string> texts;
  for (int status = PILOTLIGHT_OK; status <= PILOTLIGHT_WRONG_NPU; ++status) {
    texts.emplace_back(pilotlight_status_text(static_cast<pilotlight_status_t>(status)));
  }
  std::sort(texts.begin(), texts.end());
  EXPECT_EQ(std::unique(texts.begin(), texts.end()), texts.end());
  EXPECT_STREQ(pilotlight_status_text(static_cast<pilotlight_status_t>(15)), "unknown status");
}

TEST_F(PilotlightTest, TheWrapperGivesTensorsTheirTypeAndRefusesAnother) {
  pilotlight::InferenceModel model;
  ASSERT_EQ(model.Open(descriptor_), pilotlight::Status::kOk) << model.failure();
  EXPECT_EQ(model.Input<std::int8_t>(0).size(), kInputBytes);
  EXPECT_EQ(model.Output<std::int8_t>(0).size(), kOutputBytes);
  EXPECT_TRUE(model.Input<float>(0).empty());
  EXPECT_TRUE(model.Input<std::int8_t>(1).empty());
  EXPECT_EQ(model.Run(1'000'000), pilotlight::Status::kOk) << model.failure();
}

TEST_F(PilotlightTest, TheHeaderIsC) { EXPECT_EQ(pilotlight_c_can_use_the_header(&model_), 0); }

}  // namespace

// In an image, the board and the code generator provide these.
pilotlight::platform::NpuPort& pilotlight::platform::BoardNpuPort() { return Port(); }
void pilotlight_register_operators(void) { ++registrations; }
