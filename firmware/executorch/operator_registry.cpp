// SPDX-License-Identifier: Apache-2.0
//
// The kernels in this image, by operator name and by the dtypes and dim orders that they are made
// for. The storage is zero-initialised, so a static constructor in any object file may register, in
// any order. A table with signatures is not copied until other kernels are registered as well.
#include <executorch/runtime/kernel/operator_registry.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

#include "operator_lookup.h"
#include "pilotlight/executorch/signatures.h"
#include "refuse.h"

#ifndef PILOTLIGHT_EXECUTORCH_MAX_KERNELS
#define PILOTLIGHT_EXECUTORCH_MAX_KERNELS 64
#endif

namespace executorch {
namespace runtime {
namespace {

constexpr size_t kMaxKernels = PILOTLIGHT_EXECUTORCH_MAX_KERNELS;

// Raw storage, because Kernel's constructor is not trivial. An array of kernels would have to be
// constructed before the first registration.
alignas(Kernel) std::uint8_t kernel_storage[kMaxKernels * sizeof(Kernel)];
const Kernel* kernels_begin;  // The storage, or the table of RegisterSignedKernels().
size_t kernel_count;

// Signatures of `signed_count` kernels, beginning with the kernel at `first_signed`.
const char* signatures;
size_t first_signed;
size_t signed_count;

Kernel* Storage() { return reinterpret_cast<Kernel*>(kernel_storage); }

void Append(const Kernel& kernel) {
  for (const Kernel& known : get_registered_kernels()) {
    ET_CHECK_MSG(
        std::strcmp(kernel.name_, known.name_) != 0 || kernel.kernel_key_ != known.kernel_key_,
        "Kernel %s is already registered", kernel.name_);
  }
  new (Storage() + kernel_count) Kernel(kernel);
  ++kernel_count;
}

// Writes text and small numbers into a buffer of fixed size and records an overflow.
class KeyWriter {
 public:
  KeyWriter(char* buffer, size_t size) : next_(buffer), left_(size) {}

  void Put(char c) {
    if (left_ <= 1) {  // One byte is kept for the terminator.
      overflowed_ = true;
      return;
    }
    *next_++ = c;
    --left_;
  }
  void PutNumber(unsigned value) {
    if (value >= 10) Put(static_cast<char>('0' + value / 10 % 10));
    Put(static_cast<char>('0' + value % 10));
  }
  bool Finish() {
    if (left_ > 0) *next_ = '\0';
    return !overflowed_ && left_ > 0;
  }

 private:
  char* next_;
  size_t left_;
  bool overflowed_ = false;
};

}  // namespace

namespace internal {

// "v1/", then "dtype;dim,dim,…" for each tensor, joined by "|" (ETKernelKey.to_native_string in
// executorch/codegen/model.py).
Error make_kernel_key_string(Span<const TensorMeta> key, char* buf, size_t buf_size) {
  if (key.empty()) {
    if (buf_size > 0) buf[0] = '\0';
    return Error::Ok;
  }
  KeyWriter writer(buf, buf_size);
  for (const char c : {'v', '1', '/'}) writer.Put(c);
  for (size_t i = 0; i < key.size(); ++i) {
    if (i != 0) writer.Put('|');
    const auto dtype = static_cast<int>(key[i].dtype_);
    if (dtype < 0 || dtype > 99) return Error::InvalidArgument;
    writer.PutNumber(static_cast<unsigned>(dtype));
    writer.Put(';');
    for (size_t d = 0; d < key[i].dim_order_.size(); ++d) {
      const unsigned dim = key[i].dim_order_[d];
      if (dim > 99) return Error::InvalidArgument;
      if (d != 0) writer.Put(',');
      writer.PutNumber(dim);
    }
  }
  return writer.Finish() ? Error::Ok : Error::InvalidArgument;
}

}  // namespace internal

Span<const Kernel> get_registered_kernels() { return {kernels_begin, kernel_count}; }

Error register_kernels(const Span<const Kernel> kernels) {
  if (kernel_count > kMaxKernels || kernels.size() > kMaxKernels - kernel_count) {
    // This is not an ET_CHECK_MSG, because the text of that macro is compiled out in this library.
    (void)PILOTLIGHT_REFUSE(
        Error::Internal,
        "No room for %zu kernels beside %zu: raise PILOTLIGHT_EXECUTORCH_MAX_KERNELS from %zu",
        kernels.size(), kernel_count, kMaxKernels);
    runtime_abort();
  }
  if (kernels_begin != Storage()) {
    std::uninitialized_copy_n(kernels_begin, kernel_count, Storage());
    kernels_begin = Storage();
  }
  for (const Kernel& kernel : kernels) Append(kernel);
  return Error::Ok;
}

Result<OpFunction> get_op_function_from_registry(const char* name, Span<const TensorMeta> meta_list,
                                                 Span<const Kernel> kernel_list) {
  const Kernel* fallback = nullptr;
  char key[internal::kKernelKeyBufSize];
  bool have_key = false;
  for (const Kernel& kernel : kernel_list) {
    if (std::strcmp(kernel.name_, name) != 0) continue;
    if (kernel.kernel_key_.is_fallback()) {
      fallback = &kernel;
      continue;
    }
    // The key is made only when needed: most operators have one kernel for all dtypes.
    if (!have_key) {
      const Error error = internal::make_kernel_key_string(meta_list, key, sizeof(key));
      if (error != Error::Ok) return error;
      have_key = true;
    }
    if (kernel.kernel_key_ == KernelKey(key)) return kernel.op_;
  }
  if (fallback != nullptr) return fallback->op_;
  return PILOTLIGHT_REFUSE(Error::OperatorMissing, "No kernel for %s", name);
}

Result<OpFunction> get_op_function_from_registry(const char* name,
                                                 Span<const TensorMeta> meta_list) {
  return get_op_function_from_registry(name, meta_list, get_registered_kernels());
}

bool registry_has_op_function(const char* name, Span<const TensorMeta> meta_list) {
  return get_op_function_from_registry(name, meta_list).ok();
}

}  // namespace runtime
}  // namespace executorch

namespace pilotlight::executorch_runtime {

void RegisterSignedKernels(const SignedKernels& table) {
  using namespace executorch::runtime;  // NOLINT: where the registry is
  ET_CHECK_MSG(signed_count == 0, "The image's kernels are registered already");
  first_signed = kernel_count;
  if (kernel_count == 0) {
    kernels_begin = table.kernels.data();
    kernel_count = table.kernels.size();
  } else {
    (void)register_kernels(table.kernels);
  }
  signatures = table.signatures;
  signed_count = table.kernels.size();
}

const char* SignatureOf(const executorch::runtime::Kernel& kernel) {
  using namespace executorch::runtime;  // NOLINT: where the registry is
  // For a kernel outside the registry, the index is beyond its end.
  const auto offset =
      reinterpret_cast<std::uintptr_t>(&kernel) - reinterpret_cast<std::uintptr_t>(kernels_begin);
  const std::size_t index = offset / sizeof(Kernel);
  if (index < first_signed || index - first_signed >= signed_count) return nullptr;
  const char* signature = signatures;
  for (std::size_t i = first_signed; i < index; ++i) signature += std::strlen(signature) + 1;
  return signature;
}

OperatorKernels FindOperator(const char* name,
                             executorch::runtime::Span<const executorch::runtime::Kernel> kernels) {
  OperatorKernels found{nullptr, false};
  for (const executorch::runtime::Kernel& kernel : kernels) {
    if (std::strcmp(kernel.name_, name) != 0) continue;
    if (kernel.kernel_key_.is_fallback()) {
      found.fallback = &kernel;
    } else {
      found.specialised = true;
    }
  }
  return found;
}

}  // namespace pilotlight::executorch_runtime
