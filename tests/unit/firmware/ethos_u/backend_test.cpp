// SPDX-License-Identifier: Apache-2.0
#include "pilotlight/ethos_u/backend.h"

#include <executorch/runtime/core/evalue.h>
#include <executorch/runtime/core/portable_type/tensor_impl.h>
#include <executorch/runtime/platform/runtime.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "fake_npu.h"
#include "golden_file.h"

namespace pilotlight::ethos_u {
namespace {

using executorch::aten::ScalarType;
using executorch::aten::Tensor;
using executorch::aten::TensorImpl;
using executorch::runtime::BackendExecutionContext;
using executorch::runtime::BackendInitContext;
using executorch::runtime::Error;
using executorch::runtime::EValue;
using executorch::runtime::FreeableBuffer;
using executorch::runtime::MemoryAllocator;
using test::FakeNpu;
using test::npu_memory;

constexpr std::size_t kBlobAt = 0;
constexpr std::size_t kTempPoolAt = 32 * 1024;
constexpr std::size_t kScratchBytes = 1280;

// Copies the golden blob to memory that the NPU can reach, and calls the backend as a runtime
// does.
class BackendTest : public testing::Test {
 protected:
  void SetUp() override {
    executorch::runtime::runtime_init();
    test::fake_now_us = 0;
    ASSERT_EQ(npu_.Open(), Status::kOk);
    const std::vector<std::byte> blob = test::GoldenFile("cnn_u55_128.blob");
    blob_size_ = blob.size();
    std::copy(blob.begin(), blob.end(), npu_memory + kBlobAt);
    for (std::size_t i = 0; i < input_.size(); ++i) input_[i] = static_cast<std::int8_t>(i);
    backend_.BeginInference(1'000'000);
  }

  Error Init(std::size_t blob_at = kBlobAt) {
    FreeableBuffer processed(npu_memory + blob_at, blob_size_, nullptr);
    BackendInitContext context(&method_pool_);
    auto handle = backend_.init(context, &processed, {});
    if (handle.ok()) handle_ = handle.get();
    return handle.error();
  }

  Error Execute(std::size_t arg_count = 2) { return Execute(arg_count, temp_pool_); }
  Error Execute(std::size_t arg_count, MemoryAllocator& pool) {
    TensorImpl input(ScalarType::Char, 4, input_sizes_, input_.data());
    TensorImpl output(ScalarType::Char, 2, output_sizes_, output_.data());
    EValue input_value{Tensor(&input)}, output_value{Tensor(&output)};
    EValue* args[] = {&input_value, &output_value, &output_value};
    BackendExecutionContext context(nullptr, &pool);
    return backend_.execute(context, handle_, {args, arg_count});
  }

  FakeNpu port_;
  Npu npu_{port_};
  EthosUBackend backend_{npu_};
  std::size_t blob_size_ = 0;
  executorch::runtime::DelegateHandle* handle_ = nullptr;

  alignas(16) std::uint8_t method_bytes_[256];
  MemoryAllocator method_pool_{sizeof(method_bytes_), method_bytes_};
  MemoryAllocator temp_pool_{kScratchBytes,
                             reinterpret_cast<std::uint8_t*>(npu_memory) + kTempPoolAt};
  TensorImpl::SizesType input_sizes_[4] = {1, 1, 8, 8};
  TensorImpl::SizesType output_sizes_[2] = {1, 10};
  std::vector<std::int8_t> input_ = std::vector<std::int8_t>(64);
  std::vector<std::int8_t> output_ = std::vector<std::int8_t>(10);
};

TEST_F(BackendTest, CopiesInputsInAndOutputsOutAtTheBlobsOffsets) {
  std::vector<std::int8_t> seen(64);
  port_.compute = [&](FakeNpu& npu) {
    std::byte* scratch = npu.Pointer(0x088);  // BASEP1
    std::memcpy(seen.data(), scratch + 1024, seen.size());
    for (int i = 0; i < 10; ++i) scratch[i] = static_cast<std::byte>(100 + i);
  };
  ASSERT_EQ(Init(), Error::Ok) << backend_.failure().text;
  ASSERT_EQ(Execute(), Error::Ok) << backend_.failure().text;
  EXPECT_EQ(seen, input_);
  EXPECT_EQ(output_, (std::vector<std::int8_t>{100, 101, 102, 103, 104, 105, 106, 107, 108, 109}));
}

TEST_F(BackendTest, InputsAndOutputsMayHaveRegionsOfTheirOwn) {
  // The input at 32 of region 3, the output at 16 of region 4 (data/README.md has the offsets).
  const auto put = [](std::size_t at, std::uint32_t word) {
    std::memcpy(npu_memory + at, &word, 4);
  };
  const std::size_t input_at = 4288 - 112 + 4, output_at = 4368 - 112 + 4;
  put(input_at + 28, 32);
  put(input_at + 32, 3);
  put(output_at + 28, 16);
  put(output_at + 32, 4);
  std::vector<std::int8_t> seen(64);
  port_.compute = [&](FakeNpu& npu) {
    std::memcpy(seen.data(), npu.Pointer(0x098) + 32, seen.size());  // BASEP3
    for (int i = 0; i < 10; ++i) npu.Pointer(0x0A0)[16 + i] = static_cast<std::byte>(10 * i);  // 4
  };
  ASSERT_EQ(Init(), Error::Ok) << backend_.failure().text;
  EXPECT_EQ(Execute(), Error::MemoryAllocationFailed);  // The pool has room for the scratch alone.
  MemoryAllocator pool(kScratchBytes + 96 + 32,
                       reinterpret_cast<std::uint8_t*>(npu_memory) + kTempPoolAt);
  ASSERT_EQ(Execute(2, pool), Error::Ok) << backend_.failure().text;
  EXPECT_EQ(seen, input_);
  EXPECT_EQ(output_, (std::vector<std::int8_t>{0, 10, 20, 30, 40, 50, 60, 70, 80, 90}));
  EXPECT_EQ(port_.written[0x098], port_.written[0x088] + kScratchBytes);
  EXPECT_EQ(port_.written[0x0A0], port_.written[0x098] + 96);
}

TEST_F(BackendTest, WeightsAndStreamAreUsedWhereTheyLieWithinTheDeadline) {
  ASSERT_EQ(Init(), Error::Ok);
  ASSERT_EQ(Execute(), Error::Ok);
  EXPECT_EQ(port_.last_deadline_us, 1'000'000u);
  EXPECT_EQ(port_.written[0x080], 0x70000000u + 1568 - 112);
  EXPECT_EQ(port_.written[0x010], 0x70000000u + 176 - 112 + 32);
  EXPECT_EQ(port_.written[0x020], 0x14bu * 4);
}

TEST_F(BackendTest, AddsUpWhatSeveralDelegateCallsOfOneInferenceCost) {
  ASSERT_EQ(Init(), Error::Ok);
  ASSERT_EQ(Execute(), Error::Ok);
  temp_pool_.reset();
  ASSERT_EQ(Execute(), Error::Ok);
  EXPECT_EQ(backend_.stats().runs, 2u);
  EXPECT_EQ(backend_.stats().npu_cycles, 2 * 0x0002'00000010u);
  backend_.BeginInference(1);
  EXPECT_EQ(backend_.stats().runs, 0u);
  EXPECT_EQ(backend_.stats().npu_cycles, 0u);
  EXPECT_EQ(backend_.stats().npu_us, 0u);
}

TEST_F(BackendTest, ScratchOfExactlyTheBlobsSizeSuffices) {
  ASSERT_EQ(Init(), Error::Ok);
  EXPECT_EQ(Execute(), Error::Ok);
  EXPECT_EQ(Execute(), Error::MemoryAllocationFailed);  // No memory is left for a second one.
  EXPECT_EQ(backend_.failure().status, Status::kNoMemory);
  EXPECT_NE(std::string(backend_.failure().text).find("1280"), std::string::npos);
}

TEST_F(BackendTest, MethodPoolTooSmallForTheHandleIsSaid) {
  ASSERT_NE(method_pool_.allocate(250), nullptr);
  EXPECT_EQ(Init(), Error::MemoryAllocationFailed);
  EXPECT_EQ(backend_.failure().status, Status::kNoMemory);
}

TEST_F(BackendTest, MalformedBlobIsRefusedAtLoad) {
  npu_memory[kBlobAt + 18] = std::byte{1};  // Length of the first block.
  EXPECT_EQ(Init(), Error::InvalidProgram);
  EXPECT_STRNE(backend_.failure().text, "");
}

TEST_F(BackendTest, MalformedPayloadIsRefusedAtLoad) {
  npu_memory[176 - 112] = std::byte{'X'};
  EXPECT_EQ(Init(), Error::InvalidProgram);
  EXPECT_EQ(backend_.failure().status, Status::kBadModel);
  EXPECT_STREQ(backend_.failure().text, "malformed driver payload at offset 0");
}

TEST_F(BackendTest, BlobForAnotherNpuIsRefusedAtLoad) {
  port_.config = 0x00001006;
  ASSERT_EQ(npu_.Open(), Status::kOk);
  EXPECT_EQ(Init(), Error::DelegateInvalidCompatibility);
  EXPECT_EQ(backend_.failure().status, Status::kWrongNpu);
  EXPECT_NE(std::string(backend_.failure().text).find("ethos-u55-64"), std::string::npos);
}

TEST_F(BackendTest, BlobOffItsAlignmentIsRefusedAtLoad) {
  std::memmove(npu_memory + 8, npu_memory, blob_size_);
  EXPECT_EQ(Init(8), Error::InvalidArgument);
  EXPECT_EQ(backend_.failure().status, Status::kMisaligned);
}

TEST_F(BackendTest, BlobOutOfTheNpusReachIsRefusedAtLoad) {
  port_.visible_from = 1024;
  EXPECT_EQ(Init(), Error::InvalidArgument);
  EXPECT_EQ(backend_.failure().status, Status::kBadArgument);
}

TEST_F(BackendTest, WeightsOutOfTheNpusReachAreRefusedAtLoad) {
  port_.visible_to = 1568 - 112 + 100;  // All commands, and a part of the weights.
  EXPECT_EQ(Init(), Error::InvalidArgument);
  EXPECT_NE(std::string(backend_.failure().text).find("region 0"), std::string::npos);
}

TEST_F(BackendTest, TensorOfAnotherSizeIsNeverCopied) {
  ASSERT_EQ(Init(), Error::Ok);
  input_sizes_[3] = 7;
  EXPECT_EQ(Execute(), Error::InvalidProgram);
  input_sizes_[3] = 8;
  temp_pool_.reset();
  output_sizes_[1] = 11;
  EXPECT_EQ(Execute(), Error::InvalidProgram);
  EXPECT_EQ(port_.Order().find("run"), std::string::npos);
}

TEST_F(BackendTest, CallWithAnotherNumberOfArgumentsIsRefused) {
  ASSERT_EQ(Init(), Error::Ok);
  for (const std::size_t count : {1u, 3u}) {
    temp_pool_.reset();
    EXPECT_EQ(Execute(count), Error::InvalidProgram);
    EXPECT_EQ(std::string(backend_.failure().text),
              "EthosUBackend: the delegate call's number of arguments is wrong (" +
                  std::to_string(count) + ")");
  }
  EXPECT_EQ(port_.Order().find("run"), std::string::npos);
}

TEST_F(BackendTest, NoDataAtAllAreRefusedAtLoad) {
  BackendInitContext context(&method_pool_);
  EXPECT_EQ(backend_.init(context, nullptr, {}).error(), Error::InvalidProgram);
  // A freed buffer may still have its size.
  FreeableBuffer freed(nullptr, 64, nullptr);
  EXPECT_EQ(backend_.init(context, &freed, {}).error(), Error::InvalidProgram);
}

TEST_F(BackendTest, FastScratchThatShrankSinceTheModelWasLoadedIsRefused) {
  alignas(32) static std::byte fast[2048];
  // The stream's last NPU_SET_OFM_REGION now selects region 2 instead of 1.
  std::byte* region = nullptr;
  for (std::size_t at = 176 - 112 + 32; at + 4 <= 1568 - 112; at += 4) {
    std::uint32_t word;
    std::memcpy(&word, npu_memory + at, sizeof(word));
    if (word == 0x0001011F) region = npu_memory + at + 2;
  }
  ASSERT_NE(region, nullptr);
  *region = std::byte{2};
  backend_.SetFastScratch({fast, sizeof(fast)});
  ASSERT_EQ(Init(), Error::Ok) << backend_.failure().text;

  backend_.SetFastScratch({fast, sizeof(fast) - 32});
  EXPECT_EQ(Execute(), Error::MemoryAllocationFailed);
  EXPECT_STREQ(backend_.failure().text,
               "EthosUBackend: fast scratch shrank since loading; bytes needed (2048)");
  EXPECT_EQ(port_.Order().find("run"), std::string::npos);
}

TEST_F(BackendTest, FailedRunLeavesTheOutputAlone) {
  ASSERT_EQ(Init(), Error::Ok);
  port_.status_after_run = reg::kStatusIrqRaised | reg::kStatusBusFault;
  std::fill(output_.begin(), output_.end(), std::int8_t{77});
  EXPECT_EQ(Execute(), Error::Internal);
  EXPECT_EQ(backend_.failure().status, Status::kDeviceFault);
  EXPECT_EQ(backend_.failure().npu_status, reg::kStatusBusFault);
  EXPECT_EQ(output_, std::vector<std::int8_t>(10, 77));
}

TEST_F(BackendTest, ABusFaultNamesTheChannelOfTheStatusRegister) {
  // STATUS.faulting_channel; the other values are reserved.
  const std::map<std::uint32_t, const char*> names = {
      {0, "command"},  {1, "IFM"}, {2, "weight"},    {3, "scale and bias"},
      {4, "DMA read"}, {8, "OFM"}, {9, "DMA write"},
  };
  ASSERT_EQ(Init(), Error::Ok);
  for (std::uint32_t channel = 0; channel < 16; ++channel) {
    temp_pool_.reset();
    port_.status_after_run = reg::kStatusIrqRaised | reg::kStatusBusFault | channel << 12;
    EXPECT_EQ(Execute(), Error::Internal);
    const auto name = names.find(channel);
    const std::string wanted = name == names.end() ? "unknown" : name->second;
    EXPECT_NE(std::string(backend_.failure().text).find("the " + wanted + " channel"),
              std::string::npos)
        << channel << ": " << backend_.failure().text;
  }
}

TEST_F(BackendTest, WhatASimulatorTakesForOneDelegateIsNotTakenFromTheNext) {
  port_.simulator_us_per_wait = 10'000'000;
  ASSERT_EQ(Init(), Error::Ok);
  EXPECT_EQ(Execute(), Error::Ok);
  temp_pool_.reset();
  EXPECT_EQ(Execute(), Error::Ok);
  EXPECT_EQ(backend_.stats().runs, 2u);
}

TEST_F(BackendTest, InferenceThatWasNeverBegunTimesOut) {
  backend_.BeginInference(0);
  port_.irq_arrives = false;
  ASSERT_EQ(Init(), Error::Ok);
  EXPECT_EQ(Execute(), Error::Internal);
  EXPECT_EQ(backend_.failure().status, Status::kTimeout);
}

TEST(RegisterBackend, ANameIsGivenOnce) {
  executorch::runtime::runtime_init();
  FakeNpu port;
  static Npu npu{port};
  Result<EthosUBackend*> first = RegisterBackend(npu);
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(executorch::runtime::get_backend_class("EthosUBackend"), first.value());

  // The first backend is unchanged.
  const std::byte garbage[16] = {};
  FreeableBuffer processed(garbage, sizeof(garbage), nullptr);
  BackendInitContext context(nullptr);
  ASSERT_FALSE(first.value()->init(context, &processed, {}).ok());
  EXPECT_EQ(RegisterBackend(npu).status(), Status::kBusy);
  EXPECT_EQ(first.value()->failure().status, Status::kBadModel);
}

}  // namespace
}  // namespace pilotlight::ethos_u
