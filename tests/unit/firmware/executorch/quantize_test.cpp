// SPDX-License-Identifier: Apache-2.0
//
// Compares the kernels' arithmetic with PyTorch's (make_quantize_golden.py), and tests the
// operators on tensors that do not fit.
#include "pilotlight/kernels/quantize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>

#include <executorch/runtime/core/exec_aten/exec_aten.h>
#include <executorch/runtime/kernel/kernel_runtime_context.h>

namespace torch {
namespace executor {
namespace native {
Tensor& quantize_per_tensor_out(KernelRuntimeContext& context, const Tensor& input, double scale,
                                int64_t zero_point, int64_t quant_min, int64_t quant_max,
                                ScalarType dtype, Tensor& out);
Tensor& dequantize_per_tensor_out(KernelRuntimeContext& context, const Tensor& input, double scale,
                                  int64_t zero_point, int64_t quant_min, int64_t quant_max,
                                  ScalarType dtype, std::optional<ScalarType> out_dtype,
                                  Tensor& out);
}  // namespace native
}  // namespace executor
}  // namespace torch

namespace pilotlight::kernels {
namespace {

using executorch::runtime::Error;
using executorch::runtime::KernelRuntimeContext;
using executorch::runtime::etensor::ScalarType;
using executorch::runtime::etensor::Tensor;
using executorch::runtime::etensor::TensorImpl;

float FromBits(std::uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

std::uint32_t Bits(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

TEST(Quantize, GivesWhatPyTorchGivesBitForBit) {
  int count = 0;
#define GOLDEN(Integer, value_bits, scale, zero_point, low, high, integer, real_bits) \
  {                                                                                   \
    const float value = FromBits(value_bits);                                         \
    const Quantization how{scale, zero_point, low, high};                             \
    Integer quantized{};                                                              \
    Quantize(&value, 1, how, &quantized);                                             \
    EXPECT_EQ(quantized, static_cast<Integer>(integer))                               \
        << #Integer " of " << value << " / " << scale;                                \
    float real = 0;                                                                   \
    Dequantize(&quantized, 1, how, &real);                                            \
    EXPECT_EQ(Bits(real), real_bits) << #Integer " " << integer << " * " << scale;    \
    ++count;                                                                          \
  }
#include "quantize_golden.inc"
#undef GOLDEN
  EXPECT_GT(count, 1000);
}

TEST(Quantize, NotANumberGivesTheLowerLimit) {
  const float value = std::numeric_limits<float>::quiet_NaN();
  std::int8_t out = 99;
  Quantize(&value, 1, {1.0, 0, -100, 100}, &out);
  EXPECT_EQ(out, -100);
}

TEST(Quantize, TheWholeRangeOfInt32Saturates) {
  const float values[] = {3e9f, -3e9f};
  std::int32_t out[2];
  Quantize(values, 2, {1.0, 0, INT32_MIN, INT32_MAX}, out);
  EXPECT_EQ(out[0], INT32_MAX);
  EXPECT_EQ(out[1], INT32_MIN);
}

// A float tensor and an int8 tensor with the same number of elements, three.
struct Tensors {
  float real_data[3] = {1.0f, -1.0f, 0.25f};
  std::int8_t integer_data[3] = {};
  std::int32_t sizes[1] = {3};
  std::uint8_t order[1] = {0};
  std::int32_t strides[1] = {1};
  TensorImpl real_impl{ScalarType::Float, 1, sizes, real_data, order, strides};
  TensorImpl integer_impl{ScalarType::Char, 1, sizes, integer_data, order, strides};
  Tensor real{&real_impl};
  Tensor integer{&integer_impl};
  KernelRuntimeContext context;

  Error QuantizeWith(double scale, std::int64_t zero_point, std::int64_t low, std::int64_t high,
                     ScalarType dtype) {
    torch::executor::native::quantize_per_tensor_out(context, real, scale, zero_point, low, high,
                                                     dtype, integer);
    return context.failure_state();
  }
};

TEST(QuantizePerTensor, FillsTheOutputTensor) {
  Tensors t;
  EXPECT_EQ(t.QuantizeWith(0.5, 1, -128, 127, ScalarType::Char), Error::Ok);
  EXPECT_EQ(t.integer_data[0], 3);
  EXPECT_EQ(t.integer_data[1], -1);
  EXPECT_EQ(t.integer_data[2], 1);  // 0.5 rounds to even.
}

TEST(QuantizePerTensor, LimitsBeyondTheDtypeAreRefused) {
  EXPECT_EQ(Tensors().QuantizeWith(0.5, 0, -129, 127, ScalarType::Char), Error::InvalidArgument);
  EXPECT_EQ(Tensors().QuantizeWith(0.5, 0, -128, 128, ScalarType::Char), Error::InvalidArgument);
  EXPECT_EQ(Tensors().QuantizeWith(0.5, 0, 1, 0, ScalarType::Char), Error::InvalidArgument);
}

TEST(QuantizePerTensor, AScaleOfZeroIsRefused) {
  EXPECT_EQ(Tensors().QuantizeWith(0.0, 0, -128, 127, ScalarType::Char), Error::InvalidArgument);
}

TEST(QuantizePerTensor, AnotherDtypeThanTheOutputsIsRefused) {
  EXPECT_EQ(Tensors().QuantizeWith(0.5, 0, 0, 255, ScalarType::Byte), Error::InvalidArgument);
}

TEST(DequantizePerTensor, FillsTheOutputTensorAndRefusesHalfPrecision) {
  Tensors t;
  t.integer_data[0] = 5;
  torch::executor::native::dequantize_per_tensor_out(t.context, t.integer, 0.5, 1, -128, 127,
                                                     ScalarType::Char, std::nullopt, t.real);
  EXPECT_EQ(t.context.failure_state(), Error::Ok);
  EXPECT_EQ(t.real_data[0], 2.0f);
  torch::executor::native::dequantize_per_tensor_out(t.context, t.integer, 0.5, 1, -128, 127,
                                                     ScalarType::Char, ScalarType::Half, t.real);
  EXPECT_EQ(t.context.failure_state(), Error::InvalidArgument);
}

}  // namespace
}  // namespace pilotlight::kernels
