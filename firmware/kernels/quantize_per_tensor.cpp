// SPDX-License-Identifier: Apache-2.0
//
// quantized_decomposed::quantize_per_tensor.out and dequantize_per_tensor.out, with the signatures
// that the wheel's code generator derives from kernels.yaml.
#include <cstdint>
#include <limits>
#include <optional>

#include <executorch/runtime/kernel/kernel_includes.h>

#include "pilotlight/kernels/dtype.h"
#include "pilotlight/kernels/quantization_tensors.h"
#include "pilotlight/kernels/quantize.h"

namespace torch {
namespace executor {
namespace native {

namespace {

using pilotlight::kernels::Dequantize;
using pilotlight::kernels::Quantization;
using pilotlight::kernels::Quantize;
using pilotlight::kernels::ScaleAt;
using pilotlight::kernels::ZeroPointAt;

using pilotlight::kernels::DtypeSet;
using pilotlight::kernels::kQuantised;
using pilotlight::kernels::Selected;
using pilotlight::kernels::WithDtype;

constexpr DtypeSet kToDtypes =
    kQuantised & Selected("quantized_decomposed::quantize_per_tensor.out");
constexpr DtypeSet kFromDtypes =
    kQuantised & Selected("quantized_decomposed::dequantize_per_tensor.out");

// True if the limits fit the dtype, the zero point fits int32, and the scale is positive.
template <DtypeSet kDtypes>
bool IsSound(const Quantization& how, ScalarType dtype) {
  bool within = false;
  const bool known = WithDtype<kDtypes>(dtype, [&](auto type) {
    using Limits = std::numeric_limits<decltype(type)>;
    within = how.min >= Limits::min() && how.max <= Limits::max() && how.min <= how.max &&
             how.zero_point >= std::numeric_limits<std::int32_t>::min() &&
             how.zero_point <= std::numeric_limits<std::int32_t>::max();
  });
  return known && within && how.scale > 0;
}

// The two tensors may have any dim order, but both must have the same one. Element i of one tensor
// is then element i of the other one in memory.
bool PrepareOutput(KernelRuntimeContext& context, const Tensor& input, Tensor& out) {
  if (resize_tensor(out, input.sizes()) != Error::Ok || !tensors_have_same_dim_order(input, out) ||
      ((input.const_data_ptr() == nullptr || out.const_data_ptr() == nullptr) &&
       input.numel() != 0)) {
    context.fail(Error::InvalidArgument);
    return false;
  }
  return true;
}

bool IsOneNumber(const Tensor& tensor) {
  return tensor.numel() == 1 && tensor.const_data_ptr() != nullptr;
}

// Reads scale and zero point from two tensors with one element each. A tensor that does not fit
// gives a scale of 0, which is refused.
Quantization QuantizationOf(const Tensor& scale, const Tensor& zero_point, int64_t min,
                            int64_t max) {
  double step = 0;
  if (IsOneNumber(scale)) step = ScaleAt(scale, 0);
  std::int64_t zero = 0;
  if (!IsOneNumber(zero_point) || !ZeroPointAt(zero_point, 0, zero)) step = 0;
  return {step, zero, min, max};
}

template <DtypeSet kDtypes>
Tensor& QuantizeAll(KernelRuntimeContext& context, const Tensor& input, const Quantization& how,
                    ScalarType dtype, Tensor& out) {
  if (input.scalar_type() != ScalarType::Float || out.scalar_type() != dtype ||
      !IsSound<kDtypes>(how, dtype)) {
    ET_LOG(Error, "quantize_per_tensor: dtype %d to %d, or a limit or scale out of range",
           static_cast<int>(input.scalar_type()), static_cast<int>(dtype));
    context.fail(Error::InvalidArgument);
    return out;
  }
  if (!PrepareOutput(context, input, out)) return out;
  WithDtype<kDtypes>(dtype, [&](auto type) {
    Quantize(input.const_data_ptr<float>(), static_cast<std::size_t>(input.numel()), how,
             out.mutable_data_ptr<decltype(type)>());
  });
  return out;
}

template <DtypeSet kDtypes>
Tensor& DequantizeAll(KernelRuntimeContext& context, const Tensor& input, const Quantization& how,
                      ScalarType dtype, std::optional<ScalarType> out_dtype, Tensor& out) {
  if (input.scalar_type() != dtype || out.scalar_type() != ScalarType::Float ||
      out_dtype.value_or(ScalarType::Float) != ScalarType::Float || !IsSound<kDtypes>(how, dtype)) {
    ET_LOG(Error, "dequantize_per_tensor: dtype %d to %d, or a limit or scale out of range",
           static_cast<int>(input.scalar_type()), static_cast<int>(out.scalar_type()));
    context.fail(Error::InvalidArgument);
    return out;
  }
  if (!PrepareOutput(context, input, out)) return out;
  WithDtype<kDtypes>(dtype, [&](auto type) {
    Dequantize(input.const_data_ptr<decltype(type)>(), static_cast<std::size_t>(input.numel()), how,
               out.mutable_data_ptr<float>());
  });
  return out;
}

}  // namespace

Tensor& quantize_per_tensor_out(KernelRuntimeContext& context, const Tensor& input, double scale,
                                int64_t zero_point, int64_t quant_min, int64_t quant_max,
                                ScalarType dtype, Tensor& out) {
  return QuantizeAll<kToDtypes>(context, input, {scale, zero_point, quant_min, quant_max}, dtype,
                                out);
}

Tensor& dequantize_per_tensor_out(KernelRuntimeContext& context, const Tensor& input, double scale,
                                  int64_t zero_point, int64_t quant_min, int64_t quant_max,
                                  ScalarType dtype, std::optional<ScalarType> out_dtype,
                                  Tensor& out) {
  return DequantizeAll<kFromDtypes>(context, input, {scale, zero_point, quant_min, quant_max},
                                    dtype, out_dtype, out);
}

// A scale or zero point of the wrong size or dtype gives a scale of 0, which is refused.
Tensor& quantize_per_tensor_tensor_args_out(KernelRuntimeContext& context, const Tensor& input,
                                            const Tensor& scale, const Tensor& zero_point,
                                            int64_t quant_min, int64_t quant_max, ScalarType dtype,
                                            Tensor& out) {
  constexpr DtypeSet kDtypes =
      kQuantised & Selected("quantized_decomposed::quantize_per_tensor.Tensor_out");
  return QuantizeAll<kDtypes>(context, input,
                              QuantizationOf(scale, zero_point, quant_min, quant_max), dtype, out);
}

Tensor& dequantize_per_tensor_tensor_args_out(KernelRuntimeContext& context, const Tensor& input,
                                              const Tensor& scale, const Tensor& zero_point,
                                              int64_t quant_min, int64_t quant_max,
                                              ScalarType dtype, std::optional<ScalarType> out_dtype,
                                              Tensor& out) {
  constexpr DtypeSet kDtypes =
      kQuantised & Selected("quantized_decomposed::dequantize_per_tensor.Tensor_out");
  return DequantizeAll<kDtypes>(context, input,
                                QuantizationOf(scale, zero_point, quant_min, quant_max), dtype,
                                out_dtype, out);
}

}  // namespace native
}  // namespace executor
}  // namespace torch
