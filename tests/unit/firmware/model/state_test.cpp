// SPDX-License-Identifier: Apache-2.0
//
// A program that keeps state (data/README.md), with kernels defined in this test.
#include <executorch/runtime/kernel/operator_registry.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "../ethos_u/golden_file.h"
#include "pilotlight/model/model.h"

namespace pilotlight::model {
namespace {

using executorch::runtime::EValue;
using executorch::runtime::Kernel;
using executorch::runtime::KernelRuntimeContext;
using Values = std::vector<float>;

constexpr std::size_t kBytes = 4 * sizeof(float);

void Add(KernelRuntimeContext&, executorch::runtime::Span<EValue*> arguments) {
  const auto* a = arguments[0]->toTensor().const_data_ptr<float>();
  const auto* b = arguments[1]->toTensor().const_data_ptr<float>();
  auto* sum = arguments[3]->toTensor().mutable_data_ptr<float>();
  for (int i = 0; i < 4; ++i) sum[i] = a[i] + b[i];
}

void Copy(KernelRuntimeContext&, executorch::runtime::Span<EValue*> arguments) {
  std::memcpy(arguments[0]->toTensor().mutable_data_ptr(),
              arguments[1]->toTensor().const_data_ptr(), kBytes);
}

class StateTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    static const Kernel kernels[] = {Kernel("aten::add.out", Add), Kernel("aten::copy_", Copy)};
    ASSERT_EQ(executorch::runtime::register_kernels({kernels, 2}), executorch::runtime::Error::Ok);
  }

  void SetUp() override {
    const std::vector<std::byte> pte = test::GoldenFile("sums.pte");
    ASSERT_LE(pte.size(), sizeof(pte_));
    std::copy(pte.begin(), pte.end(), reinterpret_cast<std::byte*>(pte_));
    descriptor_.name = "sums";
    descriptor_.pte = pte_;
    descriptor_.pte_size_bytes = static_cast<std::uint32_t>(pte.size());
    descriptor_.npu_config = "";
    descriptor_.inputs = &tensor_;
    descriptor_.input_count = 1;
    descriptor_.outputs = &tensor_;
    descriptor_.output_count = 1;
    descriptor_.method_pool = {method_pool_, sizeof(method_pool_)};
    descriptor_.planned_buffers = planned_;
    descriptor_.planned_buffer_count = 2;
    descriptor_.state_buffer = 2;
    descriptor_.initial_values = initial_;
    descriptor_.initial_value_count = 2;
    std::memset(state_, 0xEE, sizeof(state_));
  }

  Values Infer(const Values& input) {
    std::memcpy(model_.InputBuffer(0).data(), input.data(), kBytes);
    EXPECT_EQ(model_.Run(1), Status::kOk) << model_.failure_text();
    Values output(4);
    std::memcpy(output.data(), model_.OutputBuffer(0).data(), kBytes);
    return output;
  }

  pilotlight_tensor_info_t tensor_{"x", PILOTLIGHT_FLOAT32, 1, {4}, {0}, 0.0F, 0, kBytes};
  alignas(16) std::uint8_t pte_[2048];
  alignas(16) std::uint8_t method_pool_[8192];
  alignas(16) std::uint8_t overwritten_[64];
  alignas(16) std::uint8_t state_[32];
  pilotlight_arena_t planned_[2] = {{overwritten_, sizeof(overwritten_)}, {state_, sizeof(state_)}};
  pilotlight_initial_value_t initial_[2] = {{0, 16, 1680}, {16, 16, 1664}};
  pilotlight_model_descriptor_t descriptor_{};
  Model model_;
};

const Values kFirst = {4, 8, 12, 16};    // PyTorch's output for kFirstInput,
const Values kSecond = {7, 10, 15, 22};  // then for kSecondInput.
const Values kFirstInput = {1.5, 3, 4.5, 6};
const Values kSecondInput = {1, 0, 0, 1};

TEST_F(StateTest, InferencesGoOnWhereTheLastOneEndedAndPoisonDoesNotMatter) {
  ASSERT_EQ(model_.Open(descriptor_, nullptr), Status::kOk) << model_.failure_text();
  EXPECT_EQ(Infer(kFirstInput), kFirst);
  model_.Poison(std::byte{0xA5});
  EXPECT_EQ(overwritten_[0], 0xA5);
  EXPECT_EQ(overwritten_[sizeof(overwritten_) - 1], 0xA5);
  EXPECT_EQ(Infer(kSecondInput), kSecond);
}

TEST_F(StateTest, ResetBringsAllStateBackToWhatItWasWhenOpened) {
  ASSERT_EQ(model_.Open(descriptor_, nullptr), Status::kOk) << model_.failure_text();
  const std::vector<std::uint8_t> opened(state_, state_ + sizeof(state_));
  EXPECT_EQ(Infer(kFirstInput), kFirst);
  EXPECT_NE(std::memcmp(state_, opened.data(), 16), 0);
  EXPECT_NE(std::memcmp(state_ + 16, opened.data() + 16, 16), 0);
  ASSERT_EQ(model_.ResetState(), Status::kOk);
  EXPECT_EQ(std::memcmp(state_, opened.data(), sizeof(state_)), 0);
  EXPECT_EQ(Infer(kFirstInput), kFirst);
}

TEST_F(StateTest, OpeningAgainBeginsAnew) {
  ASSERT_EQ(model_.Open(descriptor_, nullptr), Status::kOk) << model_.failure_text();
  EXPECT_EQ(Infer(kFirstInput), kFirst);
  model_.Close();
  EXPECT_EQ(model_.ResetState(), Status::kBadArgument);
  ASSERT_EQ(model_.Open(descriptor_, nullptr), Status::kOk) << model_.failure_text();
  EXPECT_EQ(Infer(kFirstInput), kFirst);
}

TEST_F(StateTest, StateThatIsNotTheOneDescribedIsRefused) {
  const pilotlight_initial_value_t wrong[] = {
      {0, 16, 1664},           // The other buffer's value.
      {32, 16, 1680},          // Beyond the buffer.
      {20, 16, 1680},          // The end is beyond the buffer.
      {0, 16, 2048},           // Beyond the file.
      {0, 17, 1680},           // The end is beyond the file.
      {0, 0xFFFFFFFFu, 1680},  // The sum of offset and size wraps.
  };
  for (const pilotlight_initial_value_t& value : wrong) {
    initial_[0] = value;
    EXPECT_EQ(model_.Open(descriptor_, nullptr), Status::kBadModel)
        << value.offset << " " << value.size_bytes << " " << value.pte_offset;
    EXPECT_NE(std::string(model_.failure_text()).find("state"), std::string::npos);
  }
  initial_[0] = {0, 16, 1680};
  for (const std::uint32_t buffer : {0u, 3u}) {
    descriptor_.state_buffer = buffer;
    EXPECT_EQ(model_.Open(descriptor_, nullptr), Status::kBadModel) << buffer;
  }
  // Inputs and outputs are in planned buffer 1.
  descriptor_.state_buffer = 1;
  EXPECT_EQ(model_.Open(descriptor_, nullptr), Status::kUnsupported);
}

}  // namespace
}  // namespace pilotlight::model
