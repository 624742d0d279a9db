// SPDX-License-Identifier: Apache-2.0
#include "probes.h"

#include <executorch/runtime/backend/interface.h>
#include <executorch/runtime/core/evalue.h>
#include <executorch/runtime/kernel/kernel_includes.h>

#include <cstring>

#include "program_case.h"

namespace pilotlight::fuzz {
namespace {

using executorch::aten::Tensor;
using executorch::runtime::ArrayRef;
using executorch::runtime::BackendExecutionContext;
using executorch::runtime::BackendInitContext;
using executorch::runtime::CompileSpec;
using executorch::runtime::DelegateHandle;
using executorch::runtime::Error;
using executorch::runtime::EValue;
using executorch::runtime::FreeableBuffer;
using executorch::runtime::Kernel;
using executorch::runtime::KernelRuntimeContext;
using executorch::runtime::Result;
using executorch::runtime::Span;

volatile std::uint32_t sink;

void UseTensor(const Tensor& tensor, bool write) {
  std::uint32_t digest = 0;
  for (const auto size : tensor.sizes()) digest += static_cast<std::uint32_t>(size);
  for (const auto stride : tensor.strides()) digest += static_cast<std::uint32_t>(stride);
  for (const auto dim : tensor.dim_order()) digest += dim;
  sink = digest;
  const std::size_t size_bytes = tensor.nbytes();
  const void* const data = tensor.const_data_ptr();
  // An input or output has no data if the caller lent no memory. A freed tensor has none either.
  if (size_bytes == 0 || data == nullptr) return;
  if (!territory.Holds(data, size_bytes, false)) Violation("a tensor lies outside its memory");
  sink = Digest(data, size_bytes);
  if (write && territory.Holds(data, size_bytes, true)) {
    std::memset(tensor.mutable_data_ptr(), 1, size_bytes);
  }
}

void UseValue(const EValue& value, bool write) {
  if (value.isTensor()) {
    UseTensor(value.toTensor(), write);
  } else if (value.isString()) {
    const auto text = value.toString();
    sink = Digest(text.data(), text.size());
  } else if (value.isInt()) {
    sink = static_cast<std::uint32_t>(value.toInt());
  } else if (value.isDouble()) {
    double number = value.toDouble();
    sink = Digest(&number, sizeof number);
  } else if (value.isBool()) {
    sink = value.toBool() ? 1 : 0;
  } else if (value.isIntList()) {
    const auto list = value.toIntList();
    sink = Digest(list.data(), list.size() * sizeof(*list.data()));
  } else if (value.isDoubleList()) {
    const auto list = value.toDoubleList();
    sink = Digest(list.data(), list.size() * sizeof(*list.data()));
  } else if (value.isBoolList()) {
    for (const bool flag : value.toBoolList()) sink = flag ? 1 : 0;
  } else if (value.isTensorList()) {
    for (const Tensor& tensor : value.toTensorList()) UseTensor(tensor, false);
  } else if (value.tag == executorch::runtime::Tag::ListOptionalTensor) {
    for (const auto& tensor : value.toListOptionalTensor()) {
      if (tensor.has_value()) UseTensor(*tensor, false);
    }
  }
}

// Reads all arguments and writes the last one, where operators put their result.
void UseArguments(Span<EValue*> args) {
  for (std::size_t i = 0; i < args.size(); ++i) UseValue(*args[i], i + 1 == args.size());
}

void ReadAndWrite(KernelRuntimeContext& context, Span<EValue*> args) {
  UseArguments(args);
  if (args.size() % 2 != 0) {
    // Like a kernel that needs scratch memory.
    const Result<void*> room = context.allocate_temp(64, 16);
    if (!room.ok()) return context.fail(room.error());
    std::memset(*room, 2, 64);
  }
}

void Fail(KernelRuntimeContext& context, Span<EValue*> args) {
  UseArguments(args);
  context.fail(Error::InvalidArgument);
}

// Decrements an integer and says whether it has reached zero, so that a program can have a loop.
void CountDown(KernelRuntimeContext& context, Span<EValue*> args) {
  if (args.size() != 2 || !args[0]->isInt() || !args[1]->isBool()) {
    context.fail(Error::InvalidArgument);
    return;
  }
  const std::int64_t left = args[0]->toInt();
  if (left > 0) *args[0] = EValue(left - 1);
  *args[1] = EValue(left <= 1);
}

const Kernel kernels[] = {
    Kernel("probe::trace.out", ReadAndWrite),
    Kernel("probe::fail.out", Fail),
    Kernel("probe::countdown", CountDown),
    Kernel("quantized_decomposed::quantize_per_tensor.out", ReadAndWrite),
    Kernel("quantized_decomposed::dequantize_per_tensor.out", ReadAndWrite),
    Kernel("aten::add.out", ReadAndWrite),
    Kernel("aten::mul.out", ReadAndWrite),
    Kernel("aten::addmm.out", ReadAndWrite),
    Kernel("aten::cat.out", ReadAndWrite),
    Kernel("aten::copy_", ReadAndWrite),
    Kernel("aten::full.out", ReadAndWrite),
    Kernel("aten::index.Tensor_out", ReadAndWrite),
    Kernel("aten::permute_copy.out", ReadAndWrite),
    Kernel("aten::select_copy.int_out", ReadAndWrite),
    Kernel("aten::unsqueeze_copy.out", ReadAndWrite),
    Kernel("aten::view_copy.out", ReadAndWrite),
    Kernel("aten::_softmax.out", ReadAndWrite),
    Kernel("dim_order_ops::_to_dim_order_copy.out", ReadAndWrite),
    Kernel("dim_order_ops::_clone_dim_order.out", ReadAndWrite),
};

// Accepts any data that do not begin with "BAD!".
class FuzzBackend final : public executorch::runtime::BackendInterface {
 public:
  bool is_available() const override { return true; }

  Result<DelegateHandle*> init(BackendInitContext& context, FreeableBuffer* processed,
                               ArrayRef<CompileSpec> specs) const override {
    if (!territory.Holds(processed->data(), processed->size(), false)) {
      Violation("a delegate's data lie outside the file");
    }
    sink = Digest(processed->data(), processed->size());
    for (const CompileSpec& spec : specs) {
      sink = Digest(spec.key, std::strlen(spec.key));
      sink = Digest(spec.value.buffer, spec.value.nbytes);
    }
    if (processed->size() >= 4 && std::memcmp(processed->data(), "BAD!", 4) == 0) {
      return Error::DelegateInvalidCompatibility;
    }
    void* const handle = context.get_runtime_allocator()->allocate(16);
    if (handle == nullptr) return Error::MemoryAllocationFailed;
    std::memset(handle, 0x5A, 16);
    ++living_delegates;
    return handle;
  }

  Error execute(BackendExecutionContext&, DelegateHandle* handle,
                Span<EValue*> args) const override {
    CheckHandle(handle);
    UseArguments(args);
    return Error::Ok;
  }

  void destroy(DelegateHandle* handle) const override {
    CheckHandle(handle);
    if (living_delegates == 0) Violation("a delegate was destroyed twice");
    --living_delegates;
  }

 private:
  static void CheckHandle(const DelegateHandle* handle) {
    if (handle == nullptr || *static_cast<const std::uint8_t*>(handle) != 0x5A) {
      Violation("a delegate was called with another's handle");
    }
  }
};

}  // namespace

Territory territory;
std::uint32_t living_delegates;

void Territory::Add(const void* begin, std::size_t size_bytes, bool writable) {
  if (count_ == kMaxRanges) return;
  ranges_[count_++] = {reinterpret_cast<std::uintptr_t>(begin), size_bytes, writable};
}

bool Territory::Holds(const void* begin, std::size_t size_bytes, bool writable) const {
  const auto at = reinterpret_cast<std::uintptr_t>(begin);
  for (std::size_t i = 0; i < count_; ++i) {
    const Range& range = ranges_[i];
    if (at >= range.begin && at - range.begin <= range.size_bytes &&
        size_bytes <= range.size_bytes - (at - range.begin) && (range.writable || !writable)) {
      return true;
    }
  }
  return count_ == kMaxRanges;  // Some ranges were not recorded, so nothing can be said.
}

void RegisterProbes() {
  static FuzzBackend backend;
  if (executorch::runtime::register_backend({"FuzzBackend", &backend}) != Error::Ok) {
    Violation("the backend cannot be registered");
  }
}

Span<const Kernel> ProbeKernels() { return {kernels, sizeof kernels / sizeof *kernels}; }

std::uint32_t Digest(const void* data, std::size_t size_bytes) {
  const auto* bytes = static_cast<const std::uint8_t*>(data);
  std::uint32_t digest = 0;
  for (std::size_t i = 0; i < size_bytes; ++i) digest = digest * 31 + bytes[i];
  return digest;
}

}  // namespace pilotlight::fuzz
