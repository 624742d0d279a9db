// SPDX-License-Identifier: Apache-2.0
#include "test_tensor.h"

#include <algorithm>
#include <cstring>

#include <executorch/runtime/core/exec_aten/util/dim_order_util.h>

namespace conformance {
namespace {

using executorch::runtime::Span;
using executorch::runtime::etensor::BFloat16;
using executorch::runtime::etensor::Half;
using executorch::runtime::etensor::ScalarType;
using executorch::runtime::etensor::Tensor;
using executorch::runtime::etensor::TensorImpl;
using Sizes = Span<std::int32_t>;
using Order = Span<std::uint8_t>;

// Room for dimensions that a distortion adds or enlarges.
constexpr std::size_t kSpareBytes = 4096;

template <typename T>
void Store(void* data, std::size_t index, T value) {
  std::memcpy(static_cast<std::uint8_t*>(data) + index * sizeof(T), &value, sizeof(T));
}

// Integers are 0 to 3, because they may be used as indices.
void FillElements(ScalarType dtype, void* data, std::size_t count, unsigned seed) {
  for (std::size_t i = 0; i < count; ++i) {
    const auto fraction = static_cast<float>((i * 29 + seed * 13) % 200) / 50.0f - 2.0f;
    const auto small = static_cast<int>((i * 7 + seed) % 4);
    switch (dtype) {
      case ScalarType::Float:
        Store(data, i, fraction);
        break;
      case ScalarType::Double:
        Store(data, i, static_cast<double>(fraction));
        break;
      case ScalarType::Half:
        Store(data, i, Half(fraction));
        break;
      case ScalarType::BFloat16:
        Store(data, i, BFloat16(fraction));
        break;
      case ScalarType::Short:
        Store(data, i, static_cast<std::int16_t>(small));
        break;
      case ScalarType::Int:
        Store(data, i, static_cast<std::int32_t>(small));
        break;
      case ScalarType::Long:
        Store(data, i, static_cast<std::int64_t>(small));
        break;
      case ScalarType::Bool:
        Store(data, i, static_cast<std::uint8_t>((i + seed) % 2));
        break;
      default:
        Store(data, i, static_cast<std::uint8_t>(i * 37 + seed));
        break;
    }
  }
}

Tensor Make(Arena& arena, ScalarType dtype, Sizes sizes, Order order, void* data) {
  const auto strides = arena.List<std::int32_t>(sizes.size());
  (void)executorch::runtime::dim_order_to_stride(sizes.data(), order.data(), sizes.size(),
                                                 strides.data());
  return Tensor(&arena.New<TensorImpl>(dtype, static_cast<ssize_t>(sizes.size()), sizes.data(),
                                       data, order.data(), strides.data()));
}

constexpr Distortion kDistortions[] = {
    {"another dtype",
     [](Sizes&, Order&, ScalarType& dtype) {
       dtype = dtype == ScalarType::Int ? ScalarType::Float : ScalarType::Int;
     }},
    {"one dimension less",
     [](Sizes& sizes, Order& order, ScalarType&) {
       if (sizes.size() == 0) return;
       sizes = {sizes.data(), sizes.size() - 1};
       order = {order.data(), order.size() - 1};
       for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::uint8_t>(i);
     }},
    {"one dimension more",
     [](Sizes& sizes, Order& order, ScalarType&) {
       sizes = {sizes.data(), sizes.size() + 1};
       order = {order.data(), order.size() + 1};
       sizes[sizes.size() - 1] = 1;
       order[order.size() - 1] = static_cast<std::uint8_t>(order.size() - 1);
     }},
    {"larger",
     [](Sizes& sizes, Order&, ScalarType&) {
       if (sizes.size() > 0) sizes[0] += 100;
     }},
    {"empty",
     [](Sizes& sizes, Order&, ScalarType&) {
       if (sizes.size() > 0) sizes[0] = 0;
     }},
    {"sizes turned round",
     [](Sizes& sizes, Order&, ScalarType&) { std::reverse(sizes.begin(), sizes.end()); }},
    {"order turned round",
     [](Sizes&, Order& order, ScalarType&) { std::reverse(order.begin(), order.end()); }},
};

}  // namespace

const Span<const Distortion> distortions = {kDistortions,
                                            sizeof kDistortions / sizeof *kDistortions};

Tensor MakeTensor(Arena& arena, const Tensor& like, unsigned seed, std::int32_t rows) {
  const auto dims = static_cast<std::size_t>(like.dim());
  const auto sizes = arena.List<std::int32_t>(dims + 1);
  const auto order = arena.List<std::uint8_t>(dims + 1);
  std::copy(like.sizes().begin(), like.sizes().end(), sizes.data());
  std::copy(like.dim_order().begin(), like.dim_order().end(), order.data());
  if (rows != 0 && dims > 0) sizes[0] = rows;
  const auto data = arena.Bytes(like.nbytes() + kSpareBytes);
  const Tensor tensor =
      Make(arena, like.scalar_type(), {sizes.data(), dims}, {order.data(), dims}, data.data());
  FillElements(like.scalar_type(), data.data(), static_cast<std::size_t>(tensor.numel()), seed);
  return tensor;
}

Tensor Distort(Arena& arena, const Tensor& tensor, const Distortion& distortion) {
  const auto dims = static_cast<std::size_t>(tensor.dim());
  Sizes sizes = arena.List<std::int32_t>(dims + 1);
  Order order = arena.List<std::uint8_t>(dims + 1);
  std::copy(tensor.sizes().begin(), tensor.sizes().end(), sizes.data());
  std::copy(tensor.dim_order().begin(), tensor.dim_order().end(), order.data());
  sizes = {sizes.data(), dims};
  order = {order.data(), dims};
  ScalarType dtype = tensor.scalar_type();
  distortion.apply(sizes, order, dtype);
  return Make(arena, dtype, sizes, order, tensor.mutable_data_ptr());
}

}  // namespace conformance
