// SPDX-License-Identifier: Apache-2.0
#include <array>

#include <executorch/runtime/core/exec_aten/util/tensor_shape_to_c_string.h>
#include <executorch/runtime/core/exec_aten/util/tensor_util.h>
#include <executorch/runtime/core/tensor_layout.h>

#include "header_calls.h"
#include "transcript.h"
#include "values.h"

namespace conformance {
namespace {

using executorch::runtime::ArrayRef;
using executorch::runtime::Error;
using executorch::runtime::Result;
using executorch::runtime::Span;
using executorch::runtime::TensorLayout;
using executorch::runtime::TensorShapeDynamism;
using executorch::runtime::etensor::ScalarType;
using executorch::runtime::etensor::Tensor;
using executorch::runtime::etensor::TensorImpl;

// An image with four dimensions and 24 floats.
struct Image {
  explicit Image(std::array<std::uint8_t, 4> dim_order,
                 TensorShapeDynamism dynamism = TensorShapeDynamism::STATIC)
      : order(dim_order),
        impl(ScalarType::Float, 4, sizes.data(), data.data(), order.data(), strides.data(),
             dynamism) {
    (void)executorch::runtime::dim_order_to_stride(sizes.data(), order.data(), 4, strides.data());
    for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<float>(i);
  }
  Tensor tensor() { return Tensor(&impl); }

  std::array<std::int32_t, 4> sizes = {1, 2, 3, 4};
  std::array<std::uint8_t, 4> order;
  std::array<std::int32_t, 4> strides = {};
  std::array<float, 24> data = {};
  TensorImpl impl;
};

constexpr std::array<std::uint8_t, 4> kContiguous = {0, 1, 2, 3};
constexpr std::array<std::uint8_t, 4> kChannelsLast = {0, 2, 3, 1};
constexpr std::array<std::uint8_t, 4> kOther = {3, 1, 0, 2};
constexpr std::array<std::uint8_t, 4> kInvalid = {0, 0, 2, 3};

void CallDimOrders() {
  for (const auto& order : {kContiguous, kChannelsLast, kOther, kInvalid}) {
    Image image(kContiguous);
    // The strides are not updated: no function may read them if the dim order is invalid.
    image.order = order;
    const Tensor tensor = image.tensor();
    out << "orders valid " << executorch::runtime::tensor_has_valid_dim_order(tensor) << " either "
        << executorch::runtime::tensor_is_default_or_channels_last_dim_order(tensor) << " default "
        << executorch::runtime::tensor_is_default_dim_order(tensor) << " channels last "
        << executorch::runtime::tensor_is_channels_last_dim_order(tensor) << "\n";
    std::array<std::uint8_t, 6> copied = {9, 9, 9, 9, 9, 9};
    for (const std::size_t room : {std::size_t{4}, std::size_t{3}, std::size_t{6}}) {
      out << "get_dim_order " << executorch::runtime::get_dim_order(tensor, copied.data(), room)
          << " ";
      out.HexBytes(copied.data(), copied.size()) << "\n";
    }
  }
  Image a(kContiguous);
  Image b(kChannelsLast);
  const Tensor list[] = {a.tensor(), a.tensor(), b.tensor()};
  for (const std::size_t count : {0u, 1u, 2u, 3u}) {
    out << "same order of " << count << " "
        << executorch::runtime::tensors_have_same_dim_order(ArrayRef<Tensor>(list, count)) << "\n";
  }
}

void CallResize() {
  constexpr TensorShapeDynamism kKinds[] = {TensorShapeDynamism::STATIC,
                                            TensorShapeDynamism::DYNAMIC_BOUND,
                                            TensorShapeDynamism::DYNAMIC_UNBOUND};
  const std::array<std::int32_t, 4> shapes[] = {{1, 2, 3, 4}, {1, 2, 1, 4}, {4, 3, 2, 1},
                                                {0, 2, 3, 4}, {2, 2, 3, 4}, {1, 2, 3, 4},
                                                {1, -1, 3, 4}};
  for (const TensorShapeDynamism kind : kKinds) {
    Image image(kChannelsLast, kind);
    for (const auto& shape : shapes) {
      const Error error = executorch::runtime::resize_tensor(
          image.tensor(), ArrayRef<std::int32_t>(shape.data(), 4));
      out << "resize " << error << " ";
      Print(image.tensor(), Contents::kHash);
    }
    out << "resize to three dimensions "
        << executorch::runtime::resize_tensor(image.tensor(),
                                              ArrayRef<std::int32_t>(shapes[0].data(), 3))
        << "\n";
  }
}

void CallData() {
  namespace internal = executorch::runtime::internal;
  Image a(kContiguous);
  Image b(kContiguous);
  Image other(kContiguous);
  b.data.fill(7);
  other.sizes[2] = 2;
  TensorImpl smaller(ScalarType::Float, 4, other.sizes.data(), other.data.data(),
                     other.order.data(), other.strides.data());
  out << "copy " << internal::copy_tensor_data(a.tensor(), b.tensor()) << " smaller "
      << internal::copy_tensor_data(a.tensor(), Tensor(&smaller)) << " ";
  Print(a.tensor(), Contents::kHash);
  out << "set too short " << internal::set_tensor_data(a.tensor(), b.data.data(), 95) << " null "
      << internal::set_tensor_data(a.tensor(), nullptr, 96) << " right "
      << internal::set_tensor_data(a.tensor(), b.data.data(), 96) << " "
      << (a.tensor().const_data_ptr() == b.data.data()) << "\n";
  internal::reset_data_ptr(a.tensor());
  out << "reset " << (a.tensor().const_data_ptr() == nullptr) << "\n";
  out << "copy into nothing " << internal::copy_tensor_data(a.tensor(), b.tensor())
      << " from nothing " << internal::copy_tensor_data(b.tensor(), a.tensor()) << "\n";
  out << "share " << internal::share_tensor_data(a.tensor(), b.tensor()) << " "
      << (a.tensor().const_data_ptr() == b.data.data()) << " smaller "
      << internal::share_tensor_data(a.tensor(), Tensor(&smaller)) << "\n";
  internal::reset_data_ptr(b.tensor());
  out << "share nothing " << internal::share_tensor_data(a.tensor(), b.tensor()) << "\n";
}

void CallCounts() {
  namespace etensor = executorch::runtime::etensor;
  const std::array<std::int32_t, 5> shapes[] = {{2, 3, 4, 5, 6},
                                                {0, 3, 4, 5, 6},
                                                {1, 1, 1, 1, 1},
                                                {2147483647, 2147483647, 2147483647, 2, 2},
                                                {2, -3, 4, 5, 6}};
  for (const auto& shape : shapes) {
    for (const ssize_t dims : {5, 2, 0}) {
      const Result<ssize_t> count = etensor::safe_numel(shape.data(), dims);
      out << "numel " << count.error();
      if (sizeof(void*) == 8 && count.ok()) out << " " << *count;
      if (count.ok() && *count < 1000)
        out << " again " << etensor::compute_numel(shape.data(), dims);
      out << "\n";
    }
    const std::array<std::uint8_t, 5> order = {4, 0, 1, 2, 3};
    const auto layout =
        TensorLayout::create({shape.data(), 2}, {order.data() + 1, 2}, ScalarType::Double);
    out << "layout " << layout.error();
    if (layout.ok())
      out << " " << layout->sizes().size() << " " << layout->dim_order()[0] << " "
          << static_cast<int>(layout->scalar_type());
    if (layout.ok() && shape[0] < 1000) out << " " << layout->nbytes();
    out << " bad order "
        << TensorLayout::create({shape.data(), 5}, {order.data() + 1, 2}, ScalarType::Int).error()
        << "\n";
  }
}

void CallShapeText() {
  const std::int32_t small[] = {1, 20, 0, 2147483647};
  const std::int64_t large[] = {3, 2147483648, -1, 1LL << 40};
  std::int32_t many[20];
  for (std::int32_t& size : many) size = 7;
  // The size is not 0, because the wheel then writes before its buffer.
  for (const std::size_t count : {1u, 4u}) {
    out << "text "
        << executorch::runtime::tensor_shape_to_c_string(Span<const std::int32_t>(small, count))
               .data()
        << " "
        << executorch::runtime::tensor_shape_to_c_string(Span<const std::int64_t>(large, count))
               .data()
        << "\n";
  }
  const Span<const std::int32_t> negative(many, 1);
  many[0] = -5;
  out << "text " << executorch::runtime::tensor_shape_to_c_string(negative).data() << " of many "
      << executorch::runtime::tensor_shape_to_c_string(Span<const std::int32_t>(many + 1, 19))
             .data()
      << "\n";
}

}  // namespace

void CallTensorFunctions() {
  CallDimOrders();
  CallResize();
  CallData();
  CallCounts();
  CallShapeText();
}

}  // namespace conformance
