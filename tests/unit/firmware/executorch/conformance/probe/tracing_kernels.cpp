// SPDX-License-Identifier: Apache-2.0
#include "tracing_kernels.h"

#include <algorithm>
#include <cstring>

#include <executorch/runtime/core/exec_aten/util/tensor_util.h>
#include <executorch/runtime/kernel/kernel_runtime_context.h>

#include "transcript.h"
#include "values.h"

namespace conformance {
namespace {

using executorch::runtime::ArrayRef;
using executorch::runtime::Error;
using executorch::runtime::EValue;
using executorch::runtime::Kernel;
using executorch::runtime::KernelRuntimeContext;
using executorch::runtime::OpFunction;
using executorch::runtime::Result;
using executorch::runtime::Span;
using executorch::runtime::TensorShapeDynamism;
using executorch::runtime::etensor::ScalarType;
using executorch::runtime::etensor::Tensor;

constexpr std::size_t kMaxKernels = 3000;  // The wheel's library has some 800.

Kernel kernels[kMaxKernels];
std::size_t traced_count = 0;

void TracingKernel(KernelRuntimeContext& context, Span<EValue*> args) {
  out << "  kernel with " << args.size() << " arguments\n";
  const Result<void*> temp = context.allocate_temp(24);
  Trace(args);
  out << "    temp " << temp.error() << "\n";
}

void FailingKernel(KernelRuntimeContext& context, Span<EValue*>) {
  context.fail(Error::NotImplemented);
}

// Counts its first argument down, and sets the second to whether it is positive.
void CountdownKernel(KernelRuntimeContext&, Span<EValue*> args) {
  const std::int64_t left = args[0]->toInt() - 1;
  *args[0] = EValue(left);
  *args[1] = EValue(left > 0);
}

OpFunction KernelFor(const char* name) {
  if (std::strcmp(name, "probe::fail.out") == 0) return FailingKernel;
  if (std::strcmp(name, "probe::countdown") == 0) return CountdownKernel;
  return TracingKernel;
}

void Fill(const Tensor& tensor, std::uint32_t& state) {
  auto* bytes = static_cast<std::uint8_t*>(tensor.mutable_data_ptr());
  if (bytes == nullptr) return;
  for (std::size_t i = 0; i < tensor.nbytes(); ++i) {
    state = state * 1664525u + 1013904223u;
    bytes[i] = static_cast<std::uint8_t>(
        tensor.scalar_type() == ScalarType::Bool ? (state >> 24) % 2 : state >> 25);
  }
}

// Resizes as a kernel does whose output has its input's shape.
void Resize(const Tensor& output, const Tensor& input) {
  if (output.shape_dynamism() == TensorShapeDynamism::STATIC || output.dim() != input.dim()) return;
  std::int32_t sizes[executorch::runtime::kTensorDimensionLimit];
  for (ssize_t i = 0; i < output.dim(); ++i) {
    sizes[i] = static_cast<std::int32_t>(std::min(output.size(i), input.size(i)));
  }
  const Error error = executorch::runtime::resize_tensor(
      output, ArrayRef<std::int32_t>(sizes, static_cast<std::size_t>(output.dim())));
  out << "    resize " << error << "\n";
}

std::uint32_t HashOf(const EValue& value, std::uint32_t hash) {
  if (value.isTensor() && value.toTensor().const_data_ptr() != nullptr) {
    return Hash(value.toTensor().const_data_ptr(), value.toTensor().nbytes(), hash);
  }
  if (!value.isInt()) return hash;
  const std::int64_t number = value.toInt();
  return Hash(&number, sizeof number, hash);
}

}  // namespace

void TraceOperator(const char* name) {
  new (&kernels[traced_count++]) Kernel(name, KernelFor(name));
}

Span<const Kernel> TracingKernels() {
  if (traced_count == 0) return {};
  std::size_t count = traced_count;
  for (const Kernel& other : executorch::runtime::get_registered_kernels()) {
    const auto is_other = [&](const Kernel& kernel) {
      return std::strcmp(kernel.name_, other.name_) == 0;
    };
    if (std::none_of(kernels, kernels + traced_count, is_other)) kernels[count++] = other;
  }
  return {kernels, count};
}

void Trace(Span<EValue*> args) {
  std::uint32_t hash = 2166136261u;
  const Tensor* first = nullptr;
  for (EValue* arg : args) {
    out << "    ";
    Print(*arg);
    if (arg != args[args.size() - 1]) hash = HashOf(*arg, hash);
    if (first == nullptr && arg->isTensor()) first = &arg->toTensor();
  }
  if (args.size() == 0) return;
  EValue& last = *args[args.size() - 1];
  if (last.isTensorList()) {
    for (const Tensor& tensor : last.toTensorList()) Fill(tensor, hash);
  } else if (last.isTensor()) {
    if (first != nullptr) Resize(last.toTensor(), *first);
    Fill(last.toTensor(), hash);
  }
}

}  // namespace conformance
