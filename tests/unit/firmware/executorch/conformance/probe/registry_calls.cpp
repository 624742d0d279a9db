// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cstring>

#include <executorch/runtime/core/device_allocator.h>
#include <executorch/runtime/core/device_memory_buffer.h>
#include <executorch/runtime/core/evalue.h>
#include <executorch/runtime/kernel/operator_registry.h>

#include "header_calls.h"
#include "transcript.h"

namespace conformance {
namespace {

using namespace executorch::runtime;  // NOLINT: this file is about it
using etensor::DeviceIndex;
using etensor::DeviceType;
using etensor::ScalarType;
using etensor::Tensor;

void FloatKernel(KernelRuntimeContext&, Span<EValue*>) {}
void AnyKernel(KernelRuntimeContext&, Span<EValue*>) {}

const char* NameOf(const Result<OpFunction>& function) {
  if (!function.ok()) return "none";
  if (*function == FloatKernel) return "float";
  return *function == AnyKernel ? "any" : "another";
}

void CallKernelRegistry() {
  std::array<std::uint8_t, 2> order = {0, 1};
  std::array<std::uint8_t, 2> turned = {1, 0};
  const TensorMeta float_meta(ScalarType::Float, {order.data(), 2});
  const TensorMeta metas[] = {
      float_meta, {ScalarType::Float, {turned.data(), 2}}, {ScalarType::Int, {order.data(), 2}}};
  char key[internal::kKernelKeyBufSize];
  for (const std::size_t room : {sizeof key, std::size_t{12}, std::size_t{1}}) {
    for (const std::size_t count : {0u, 1u, 3u}) {
      const Error error = internal::make_kernel_key_string({metas, count}, key, room);
      out << "key " << error << " " << (error == Error::Ok ? key : "") << "\n";
    }
  }
  static char float_key[internal::kKernelKeyBufSize];
  out << "key " << internal::make_kernel_key_string({&float_meta, 1}, float_key, sizeof float_key)
      << "\n";
  const Kernel kernels[] = {Kernel("probe::one.out", KernelKey(float_key), FloatKernel),
                            Kernel("probe::two.out", AnyKernel),
                            Kernel("probe::two.out", KernelKey(float_key), FloatKernel)};
  const std::size_t before = get_registered_kernels().size();
  out << "register " << register_kernels({kernels, 3}) << " more "
      << get_registered_kernels().size() - before << "\n";
  for (const char* name : {"probe::one.out", "probe::two.out", "probe::three.out"}) {
    for (const TensorMeta& meta : metas) {
      const Span<const TensorMeta> list(&meta, 1);
      out << "look up " << name << " " << registry_has_op_function(name, list) << " "
          << NameOf(get_op_function_from_registry(name, list)) << " among these "
          << NameOf(get_op_function_from_registry(name, list, {kernels, 2})) << "\n";
    }
    out << "look up without tensors " << registry_has_op_function(name) << " "
        << get_op_function_from_registry(name).error() << "\n";
  }
}

void CallTags() {
  for (std::uint32_t tag = 0; tag < 14; ++tag) {
    for (const std::size_t room :
         {kTagNameBufferSize, std::size_t{4}, std::size_t{1}, std::size_t{0}}) {
      char name[kTagNameBufferSize] = "untouched";
      const std::size_t length = tag_to_string(static_cast<Tag>(tag), name, room);
      out << "tag " << tag << " " << length << " " << name << "\n";
    }
  }
}

void CallLists() {
  EValue none;
  EValue number(std::int64_t{5});
  EValue* values[] = {&none, &none};
  EValue* wrong[] = {&number};
  std::optional<Tensor> storage[2];
  const BoxedEvalueList<std::optional<Tensor>> list(values, storage, 2);
  out << "optional tensors " << list.get().size() << " " << list.get()[1].has_value() << " "
      << list.tryGet().error() << "\n";
  const BoxedEvalueList<std::optional<Tensor>> bad(wrong, storage, 1);
  out << "that are not " << bad.tryGet().error() << "\n";
  const BoxedEvalueList<std::optional<Tensor>> nothing{};
  out << "empty " << nothing.tryGet().error() << "\n";
  std::int64_t numbers[1];
  const BoxedEvalueList<std::int64_t> ints(wrong, numbers, 1);
  out << "ints " << ints.get()[0] << " " << ints.tryGet().error() << "\n";
}

class CountingAllocator final : public DeviceAllocator {
 public:
  Result<void*> allocate(std::size_t nbytes, DeviceIndex index, std::size_t alignment) override {
    out << "  allocate " << nbytes << " on " << index << " at " << alignment / sizeof(void*)
        << "\n";
    if (nbytes > sizeof bytes_) return Error::MemoryAllocationFailed;
    return static_cast<void*>(bytes_);
  }
  void deallocate(void* ptr, DeviceIndex index) override {
    out << "  deallocate " << (ptr == bytes_) << " on " << index << "\n";
  }
  Error copy_host_to_device(void*, const void*, std::size_t, DeviceIndex) override {
    return Error::NotSupported;
  }
  Error copy_device_to_host(void*, const void*, std::size_t, DeviceIndex) override {
    return Error::NotSupported;
  }
  DeviceType device_type() const override { return DeviceType::CUDA; }

 private:
  alignas(16) std::uint8_t bytes_[64];
};

void CallDevices() {
  static CountingAllocator allocator;
  out << "allocator " << (get_device_allocator(DeviceType::CUDA) != nullptr) << " buffer "
      << DeviceMemoryBuffer::create(16, DeviceType::CUDA).error() << "\n";
  register_device_allocator(&allocator);
  out << "allocator " << (get_device_allocator(DeviceType::CUDA) == &allocator) << " same "
      << (DeviceAllocatorRegistry::instance().get_allocator(DeviceType::CUDA) == &allocator)
      << " of the host " << (get_device_allocator(DeviceType::CPU) != nullptr) << "\n";
  for (const std::size_t size : {std::size_t{16}, std::size_t{0}, std::size_t{65}}) {
    Result<DeviceMemoryBuffer> buffer = DeviceMemoryBuffer::create(size, DeviceType::CUDA, 1);
    out << "buffer " << buffer.error();
    if (buffer.ok()) out << " " << buffer->size() << " " << buffer->as_span().size();
    out << "\n";
  }
}

}  // namespace

void CallRegistryFunctions() {
  CallKernelRegistry();
  CallTags();
  CallLists();
  CallDevices();
}

}  // namespace conformance
