// SPDX-License-Identifier: Apache-2.0
//
// Copies between dtypes and between dim orders. Expected values: torch.Tensor.to of the same
// numbers (conversions), and the definition of channels-last (orders).
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>

#include <executorch/runtime/core/exec_aten/exec_aten.h>
#include <executorch/runtime/kernel/kernel_runtime_context.h>

namespace torch {
namespace executor {
namespace native {
Tensor& _to_dim_order_copy_out(KernelRuntimeContext& context, const Tensor& self, bool non_blocking,
                               std::optional<ArrayRef<int64_t>> dim_order, Tensor& out);
}  // namespace native
}  // namespace executor
}  // namespace torch

namespace {

using executorch::runtime::Error;
using executorch::runtime::KernelRuntimeContext;
using executorch::runtime::etensor::ScalarType;
using executorch::runtime::etensor::Tensor;
using executorch::runtime::etensor::TensorImpl;

// A tensor over an array of the test.
struct Given {
  Given(ScalarType dtype, void* data, std::int32_t (&sizes)[4], std::uint8_t (&order)[4],
        std::int32_t (&strides)[4])
      : impl(dtype, 4, sizes, data, order, strides), tensor(&impl) {}
  TensorImpl impl;
  Tensor tensor;
};

std::uint8_t contiguous[4] = {0, 1, 2, 3};
std::uint8_t channels_last[4] = {0, 2, 3, 1};

Error CopyTo(const Tensor& from, Tensor& to, bool non_blocking = false) {
  KernelRuntimeContext context;
  torch::executor::native::_to_dim_order_copy_out(context, from, non_blocking, std::nullopt, to);
  return context.failure_state();
}

TEST(ToDimOrderCopy, ChannelsFirstBecomesChannelsLastAndBack) {
  std::int32_t sizes[4] = {1, 2, 2, 3};
  std::int32_t first[4] = {12, 6, 3, 1};
  std::int32_t last[4] = {12, 1, 6, 2};
  std::int8_t data[12] = {0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15};
  std::int8_t moved[12] = {};
  std::int8_t back[12] = {};
  Given from(ScalarType::Char, data, sizes, contiguous, first);
  Given to(ScalarType::Char, moved, sizes, channels_last, last);
  Given again(ScalarType::Char, back, sizes, contiguous, first);

  EXPECT_EQ(CopyTo(from.tensor, to.tensor), Error::Ok);
  EXPECT_EQ(CopyTo(to.tensor, again.tensor), Error::Ok);

  const std::int8_t expected[12] = {0, 10, 1, 11, 2, 12, 3, 13, 4, 14, 5, 15};
  for (int i = 0; i < 12; ++i) {
    EXPECT_EQ(moved[i], expected[i]);
    EXPECT_EQ(back[i], data[i]);
  }
}

template <typename From, typename To>
To Converted(ScalarType from_type, From value, ScalarType to_type) {
  std::int32_t sizes[4] = {1, 1, 1, 1};
  std::int32_t strides[4] = {1, 1, 1, 1};
  To result{};
  Given from(from_type, &value, sizes, contiguous, strides);
  Given to(to_type, &result, sizes, contiguous, strides);
  EXPECT_EQ(CopyTo(from.tensor, to.tensor), Error::Ok);
  return result;
}

TEST(ToDimOrderCopy, FractionsAreCutOffTowardsZero) {
  EXPECT_EQ((Converted<float, std::int32_t>(ScalarType::Float, 2.9f, ScalarType::Int)), 2);
  EXPECT_EQ((Converted<float, std::int32_t>(ScalarType::Float, -2.9f, ScalarType::Int)), -2);
}

TEST(ToDimOrderCopy, IntegersWrapAndBecomeFloats) {
  EXPECT_EQ((Converted<std::int32_t, std::int8_t>(ScalarType::Int, 200, ScalarType::Char)), -56);
  EXPECT_EQ((Converted<std::int32_t, float>(ScalarType::Int, -7, ScalarType::Float)), -7.0f);
}

TEST(ToDimOrderCopy, AnythingButZeroIsTrue) {
  EXPECT_TRUE((Converted<float, bool>(ScalarType::Float, 0.25f, ScalarType::Bool)));
  EXPECT_FALSE((Converted<float, bool>(ScalarType::Float, 0.0f, ScalarType::Bool)));
}

TEST(ToDimOrderCopy, FloatsBeyondTheIntegersAreItsLimitsAndNanIsZero) {
  EXPECT_EQ((Converted<float, std::int32_t>(ScalarType::Float, 1e20f, ScalarType::Int)),
            std::numeric_limits<std::int32_t>::max());
  EXPECT_EQ((Converted<float, std::int32_t>(ScalarType::Float, -1e20f, ScalarType::Int)),
            std::numeric_limits<std::int32_t>::min());
  EXPECT_EQ((Converted<float, std::int32_t>(ScalarType::Float, std::nanf(""), ScalarType::Int)), 0);
}

TEST(ToDimOrderCopy, FloatIsRoundedToHalf) {
  EXPECT_EQ((Converted<float, std::uint16_t>(ScalarType::Float, 1.0f / 3, ScalarType::Half)),
            0x3555);
}

TEST(ToDimOrderCopy, NonBlockingAndOtherDtypesAreRefused) {
  std::int32_t sizes[4] = {1, 1, 1, 1};
  std::int32_t strides[4] = {1, 1, 1, 1};
  float data = 1;
  Given from(ScalarType::Float, &data, sizes, contiguous, strides);
  Given to(ScalarType::BFloat16, &data, sizes, contiguous, strides);
  EXPECT_EQ(CopyTo(from.tensor, to.tensor), Error::InvalidArgument);
  EXPECT_EQ(CopyTo(from.tensor, from.tensor, /*non_blocking=*/true), Error::InvalidArgument);
}

}  // namespace
