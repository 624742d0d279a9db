// SPDX-License-Identifier: Apache-2.0
//
// A program with tied inputs (data/README.md), with kernels defined in this test. Expected values
// follow from the program's formulas; no code under test computes them.
#include <executorch/runtime/kernel/kernel_runtime_context.h>
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

using executorch::runtime::Error;
using executorch::runtime::EValue;
using executorch::runtime::Kernel;
using executorch::runtime::KernelRuntimeContext;
using Arguments = executorch::runtime::Span<EValue*>;
using Values = std::vector<float>;

bool kernel_fails = false;

// Applies `operation` to tensors [2, n, 2] and [2, 1, 2], whose row is repeated.
template <typename Operation>
void Repeated(Arguments arguments, std::size_t result, Operation operation) {
  const auto& a = arguments[0]->toTensor();
  const auto* b = arguments[1]->toTensor().const_data_ptr<float>();
  auto* out = arguments[result]->toTensor().mutable_data_ptr<float>();
  const auto rows = static_cast<std::size_t>(a.size(1));
  for (std::size_t i = 0; i < 2 * rows * 2; ++i) {
    out[i] = operation(a.const_data_ptr<float>()[i], b[i / (rows * 2) * 2 + i % 2]);
  }
}

void Add(KernelRuntimeContext& context, Arguments arguments) {
  if (kernel_fails) return context.fail(Error::InvalidArgument);
  Repeated(arguments, 3, [](float a, float b) { return a + b; });
}

void Multiply(KernelRuntimeContext&, Arguments arguments) {
  Repeated(arguments, 2, [](float a, float b) { return a * b; });
}

class TiesTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    static const Kernel kernels[] = {Kernel("aten::add.out", Add),
                                     Kernel("aten::mul.out", Multiply)};
    ASSERT_EQ(executorch::runtime::register_kernels({kernels, 2}), Error::Ok);
  }

  void SetUp() override {
    kernel_fails = false;
    const std::vector<std::byte> pte = test::GoldenFile("memory.pte");
    ASSERT_LE(pte.size(), sizeof(pte_));
    std::copy(pte.begin(), pte.end(), reinterpret_cast<std::byte*>(pte_));
    descriptor_.name = "memory";
    descriptor_.pte = pte_;
    descriptor_.pte_size_bytes = static_cast<std::uint32_t>(pte.size());
    descriptor_.npu_config = "";
    descriptor_.inputs = inputs_;
    descriptor_.input_count = 3;
    descriptor_.outputs = outputs_;
    descriptor_.output_count = 3;
    descriptor_.method_pool = {method_pool_, sizeof(method_pool_)};
    descriptor_.planned_buffers = planned_;
    descriptor_.planned_buffer_count = 2;
    descriptor_.tied_buffer = 2;
    descriptor_.ties = ties_;
    descriptor_.tie_count = 2;
    std::memset(tied_, 0xEE, sizeof(tied_));
  }

  void Open() {
    ASSERT_EQ(model_.Open(descriptor_, nullptr), Status::kOk) << model_.failure_text();
  }
  void FillX(const Values& x) { std::memcpy(model_.InputBuffer(0).data(), x.data(), 16); }
  Status Step(const Values& x, std::uint32_t slot) {
    FillX(x);
    PILOTLIGHT_TRY(model_.Run(1));
    return model_.CommitTies(slot);
  }
  Values Tied() const {
    Values values(16);
    std::memcpy(values.data(), tied_, sizeof(tied_));
    return values;
  }
  bool Says(const char* text) const {
    return std::string(model_.failure_text()).find(text) != std::string::npos;
  }

  pilotlight_tensor_info_t inputs_[3] = {
      {"x", PILOTLIGHT_FLOAT32, 3, {2, 1, 2}, {0, 1, 2}, 0.0F, 0, 16},
      {"cache", PILOTLIGHT_FLOAT32, 3, {2, 3, 2}, {0, 1, 2}, 0.0F, 0, 48},
      {"carry", PILOTLIGHT_FLOAT32, 3, {2, 1, 2}, {0, 1, 2}, 0.0F, 0, 16}};
  pilotlight_tensor_info_t outputs_[3] = {
      {"output_0", PILOTLIGHT_FLOAT32, 3, {2, 3, 2}, {0, 1, 2}, 0.0F, 0, 48},
      {"output_1", PILOTLIGHT_FLOAT32, 3, {2, 1, 2}, {0, 1, 2}, 0.0F, 0, 16},
      {"output_2", PILOTLIGHT_FLOAT32, 3, {2, 1, 2}, {0, 1, 2}, 0.0F, 0, 16}};
  // A row of 2 x 2 floats into one of three slots; a whole tensor.
  pilotlight_tie_t ties_[2] = {{1, 1, 1, 3, 8, 2}, {2, 2, -1, 1, 16, 1}};
  alignas(16) std::uint8_t pte_[2048];
  alignas(16) std::uint8_t method_pool_[8192];
  alignas(16) std::uint8_t overwritten_[80];
  alignas(16) std::uint8_t tied_[64];
  pilotlight_arena_t planned_[2] = {{overwritten_, sizeof(overwritten_)}, {tied_, sizeof(tied_)}};
  pilotlight_model_descriptor_t descriptor_{};
  Model model_;
};

TEST_F(TiesTest, RowsGoIntoTheirSlotAndAWholeTensorIsReplaced) {
  Open();
  ASSERT_EQ(model_.ResetTies(), Status::kOk);
  EXPECT_EQ(Tied(), Values(16, 0.0F));
  // total = x, row = x * x
  ASSERT_EQ(Step({1, 2, 3, 4}, 2), Status::kOk) << model_.failure_text();
  EXPECT_EQ(Tied(), (Values{0, 0, 0, 0, 1, 4, 0, 0, 0, 0, 9, 16, 1, 2, 3, 4}));
  // total = {11, 2, 3, 14}, row = x * total
  ASSERT_EQ(Step({10, 0, 0, 10}, 0), Status::kOk) << model_.failure_text();
  EXPECT_EQ(Tied(), (Values{110, 0, 0, 0, 1, 4, 0, 140, 0, 0, 9, 16, 11, 2, 3, 14}));
  // The next step reads what the steps before left: output 0 is cache + row, with row 0.
  FillX({0, 0, 0, 0});
  ASSERT_EQ(model_.Run(1), Status::kOk) << model_.failure_text();
  Values sum(12);
  std::memcpy(sum.data(), model_.OutputBuffer(0).data(), 48);
  EXPECT_EQ(sum, (Values{110, 0, 0, 0, 1, 4, 0, 140, 0, 0, 9, 16}));
}

TEST_F(TiesTest, ResetFillsWithTheStoredFormOfZero) {
  inputs_[1].scale = 0.5F;
  inputs_[1].zero_point = -7;
  Open();
  // The program is float; only the description of the tensor decides what zero is.
  inputs_[1].dtype = PILOTLIGHT_INT8;
  ASSERT_EQ(model_.ResetTies(), Status::kOk);
  EXPECT_EQ(std::count(tied_, tied_ + 48, 0xF9), 48);
  EXPECT_EQ(std::count(tied_ + 48, tied_ + 64, 0), 16);
  inputs_[1].dtype = PILOTLIGHT_INT16;
  inputs_[1].zero_point = 0x0102;
  ASSERT_EQ(model_.ResetTies(), Status::kOk);
  EXPECT_EQ(std::count(tied_, tied_ + 48, 1), 24);
  EXPECT_EQ(std::count(tied_, tied_ + 48, 2), 24);
}

TEST_F(TiesTest, AStepWithoutTheRowOfTheLastOneIsRefused) {
  Open();
  FillX({1, 2, 3, 4});
  EXPECT_EQ(model_.Run(1), Status::kBadArgument) << "the tied inputs were never filled";
  ASSERT_EQ(model_.ResetTies(), Status::kOk);
  ASSERT_EQ(model_.Run(1), Status::kOk) << model_.failure_text();
  FillX({1, 2, 3, 4});
  EXPECT_EQ(model_.Run(1), Status::kBadArgument);
  EXPECT_TRUE(Says("an input was not filled since the last run"));
}

TEST_F(TiesTest, OutputsAreCommittedOnceAndBeforeTheNextInputs) {
  Open();
  EXPECT_EQ(model_.CommitTies(0), Status::kBadArgument) << "there was no run";
  ASSERT_EQ(model_.ResetTies(), Status::kOk);
  ASSERT_EQ(Step({1, 2, 3, 4}, 0), Status::kOk);
  EXPECT_EQ(model_.CommitTies(1), Status::kBadArgument);
  EXPECT_TRUE(Says("no outputs to commit"));
  FillX({1, 2, 3, 4});
  ASSERT_EQ(model_.Run(1), Status::kOk);
  const Values before = Tied();
  FillX({5, 5, 5, 5});
  EXPECT_EQ(model_.CommitTies(1), Status::kBadArgument) << "x may lie over the outputs";
  EXPECT_EQ(Tied(), before);
}

TEST_F(TiesTest, SlotThatTheInputDoesNotHaveIsRefusedAndNothingIsWritten) {
  Open();
  ASSERT_EQ(model_.ResetTies(), Status::kOk);
  FillX({1, 2, 3, 4});
  ASSERT_EQ(model_.Run(1), Status::kOk);
  EXPECT_EQ(model_.CommitTies(3), Status::kBadArgument);
  EXPECT_TRUE(Says("input 1 has slots 0 to 2, and no slot 3")) << model_.failure_text();
  EXPECT_EQ(Tied(), Values(16, 0.0F));
  EXPECT_EQ(model_.CommitTies(2), Status::kOk) << "the right slot is still possible";
}

TEST_F(TiesTest, AFailedRunLeavesTheTiedInputsFilledAndHasNothingToCommit) {
  Open();
  ASSERT_EQ(model_.ResetTies(), Status::kOk);
  ASSERT_EQ(Step({1, 2, 3, 4}, 1), Status::kOk);
  const Values before = Tied();
  kernel_fails = true;
  EXPECT_NE(Step({9, 9, 9, 9}, 2), Status::kOk);
  EXPECT_EQ(model_.CommitTies(2), Status::kBadArgument);
  kernel_fails = false;
  EXPECT_EQ(Tied(), before);
  EXPECT_EQ(model_.Run(1), Status::kBadArgument) << "x may have been overwritten";
  EXPECT_EQ(Step({10, 0, 0, 10}, 2), Status::kOk) << model_.failure_text();
}

TEST_F(TiesTest, PoisonReachesTiedInputsAndForgetsTheRun) {
  Open();
  ASSERT_EQ(model_.ResetTies(), Status::kOk);
  FillX({1, 2, 3, 4});
  ASSERT_EQ(model_.Run(1), Status::kOk);
  model_.Poison(std::byte{0xA5});
  EXPECT_EQ(std::count(tied_, tied_ + 64, 0xA5), 64);
  EXPECT_EQ(model_.CommitTies(0), Status::kBadArgument);
  FillX({1, 2, 3, 4});
  EXPECT_EQ(model_.Run(1), Status::kBadArgument);
}

TEST_F(TiesTest, ModelThatIsNotOpenOrHasNoTiesIsRefused) {
  EXPECT_EQ(model_.ResetTies(), Status::kBadArgument);
  EXPECT_EQ(model_.CommitTies(0), Status::kBadArgument);
  descriptor_.tied_buffer = descriptor_.tie_count = 0;
  Open();
  EXPECT_EQ(model_.ResetTies(), Status::kOk);
  EXPECT_EQ(model_.CommitTies(0), Status::kBadArgument);
  EXPECT_TRUE(Says("no ties"));
}

TEST_F(TiesTest, TiesThatAreNotTheOnesDescribedAreRefused) {
  const pilotlight_tie_t wrong[] = {
      {3, 1, 1, 3, 8, 2},            // No such output.
      {1, 3, 1, 3, 8, 2},            // No such input.
      {0, 1, 1, 3, 8, 2},            // The output is larger than a row.
      {1, 1, 1, 3, 16, 2},           // Two blocks are more than the output.
      {1, 1, 1, 4, 8, 2},            // Slots beyond the input.
      {1, 0, 1, 1, 8, 2},            // An input that an inference overwrites.
      {1, 1, 1, 3, 0x80000008u, 2},  // The product wraps in 32 bits.
  };
  for (const pilotlight_tie_t& tie : wrong) {
    ties_[0] = tie;
    EXPECT_EQ(model_.Open(descriptor_, nullptr), Status::kBadModel)
        << tie.output << " " << tie.input << " " << tie.slots << " " << tie.block_bytes;
    EXPECT_TRUE(Says("ties"));
  }
  ties_[0] = {1, 1, 1, 3, 8, 2};
  outputs_[1].dtype = PILOTLIGHT_INT32;
  EXPECT_EQ(model_.Open(descriptor_, nullptr), Status::kBadModel);
  outputs_[1].dtype = PILOTLIGHT_FLOAT32;
  for (const std::uint32_t buffer : {0u, 1u, 3u}) {
    descriptor_.tied_buffer = buffer;
    EXPECT_EQ(model_.Open(descriptor_, nullptr), Status::kBadModel) << buffer;
  }
  descriptor_.tied_buffer = 2;
  descriptor_.tie_count = 1;
  EXPECT_EQ(model_.Open(descriptor_, nullptr), Status::kBadModel) << "carry lies among tied inputs";
  descriptor_.tie_count = 2;
  // Scratch over the last tied bytes.
  descriptor_.temp_pool = {tied_ + 60, 16};
  EXPECT_EQ(model_.Open(descriptor_, nullptr), Status::kBadModel);
  descriptor_.temp_pool = {};
  Open();
}

}  // namespace
}  // namespace pilotlight::model
