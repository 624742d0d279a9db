// SPDX-License-Identifier: Apache-2.0
#include "pilotlight/ethos_u/backend.h"

#include <cstring>
#include <new>

#include "pilotlight/base/text.h"
#include "pilotlight/ethos_u/blob.h"
#include "pilotlight/ethos_u/payload.h"

namespace pilotlight::ethos_u {

using executorch::runtime::ArrayRef;
using executorch::runtime::BackendExecutionContext;
using executorch::runtime::BackendInitContext;
using executorch::runtime::CompileSpec;
using executorch::runtime::DelegateHandle;
using executorch::runtime::Error;
using executorch::runtime::EValue;
using executorch::runtime::FreeableBuffer;

namespace {

Error ToError(Status status) {
  switch (status) {
    case Status::kOk:
      return Error::Ok;
    case Status::kBadModel:
    case Status::kUnsupported:
    case Status::kWrongNpu:
      return Error::DelegateInvalidCompatibility;
    case Status::kNoMemory:
      return Error::MemoryAllocationFailed;
    case Status::kMisaligned:
    case Status::kBadArgument:
      return Error::InvalidArgument;
    case Status::kTimeout:
    case Status::kBusy:
    case Status::kDeviceFault:
      return Error::Internal;
  }
  return Error::Internal;
}

std::size_t RoundUp(std::size_t size, std::size_t multiple) {
  return (size + multiple - 1) / multiple * multiple;
}

}  // namespace

// One delegate of a loaded method. The blob was checked in full by init().
struct EthosUBackend::Handle {
  Blob blob;
};

void EthosUBackend::BeginInference(std::uint64_t deadline_us) {
  deadline_us_ = deadline_us;
  stats_ = {};
  failure_ = {};
}

bool EthosUBackend::is_available() const { return true; }

executorch::runtime::Result<DelegateHandle*> EthosUBackend::init(BackendInitContext& context,
                                                                 FreeableBuffer* processed,
                                                                 ArrayRef<CompileSpec>) const {
  // The code generator sizes method pools by this (python/pilotlight/codegen/arenas.py).
  static_assert(sizeof(Handle) <= 9 * sizeof(void*), "HANDLE_POINTERS in arenas.py is too small");

  Handle parsed;
  BlobError blob_error;
  const Span<const std::byte> bytes(static_cast<const std::byte*>(processed->data()),
                                    processed->size());
  if (const Status status = ParseBlob(bytes, parsed.blob, blob_error); status != Status::kOk) {
    const Error error = FailAt(status, blob_error.reason, blob_error.offset);
    return error;
  }

  Payload payload;
  Failure why;
  if (const Status status = ParsePayload(parsed.blob.payload, payload, why);
      status != Status::kOk) {
    failure_.status = status;
    Describe(why, failure_.text);
    return ToError(status);
  }
  if (const Status status = npu_.Check(payload); status != Status::kOk) return FailNpu(status);
  if (!parsed.blob.weights.empty()) {
    const Status status = npu_.CheckReachable(parsed.blob.weights, 0);
    if (status != Status::kOk) return FailNpu(status);
  }

  Handle* handle = context.get_runtime_allocator()->allocateInstance<Handle>();
  if (handle == nullptr) {
    return FailAt(Status::kNoMemory, "method pool is too small for a delegate handle; bytes needed",
                  sizeof(Handle));
  }
  return new (handle) Handle(parsed);
}

Error EthosUBackend::execute(BackendExecutionContext& context, DelegateHandle* opaque,
                             executorch::runtime::Span<EValue*> args) const {
  if (opaque == nullptr) return Error::DelegateInvalidHandle;
  const Handle& handle = *static_cast<const Handle*>(opaque);

  // Whole cache lines of our own, or invalidation would drop a neighbour's data.
  const std::size_t size = RoundUp(handle.blob.scratch_size_bytes, kCacheLineBytes);
  void* scratch = context.allocate(size, kCacheLineBytes);
  if (scratch == nullptr) {
    return FailAt(Status::kNoMemory, "temp pool is too small for the NPU's scratch; bytes needed",
                  size);
  }
  return Run(handle, {static_cast<std::byte*>(scratch), size}, args);
}

Error EthosUBackend::Run(const Handle& handle, Span<std::byte> scratch,
                         executorch::runtime::Span<EValue*> args) const {
  const IoTable& inputs = handle.blob.inputs;
  const IoTable& outputs = handle.blob.outputs;
  if (args.size() != inputs.size() + outputs.size()) {
    return FailAt(Status::kBadModel, "the delegate call's number of arguments is wrong",
                  args.size());
  }
  for (std::size_t i = 0; i < args.size(); ++i) {
    const IoTensor io = i < inputs.size() ? inputs[i] : outputs[i - inputs.size()];
    if (!args[i]->isTensor()) {
      return FailAt(Status::kBadModel, "a delegate argument is not a tensor", i);
    }
    const auto& tensor = args[i]->toTensor();
    if (tensor.nbytes() != io.size_bytes ||
        static_cast<std::size_t>(tensor.element_size()) != io.element_bytes ||
        tensor.const_data_ptr() == nullptr) {
      return FailAt(Status::kBadModel, "a delegate argument has another size than compiled for", i);
    }
  }

  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const IoTensor io = inputs[i];
    std::memcpy(scratch.data() + io.offset, args[i]->toTensor().const_data_ptr(), io.size_bytes);
  }

  const Region regions[] = {
      handle.blob.weights.empty() ? Region() : Region::ReadOnly(handle.blob.weights),
      Region::Written(scratch), fast_scratch_.empty() ? Region() : Region::Written(fast_scratch_)};
  Result<RunStats> ran = npu_.Run(handle.blob.payload, regions, deadline_us_);
  if (!ran.ok()) return FailNpu(ran.status());
  ++stats_.runs;
  stats_.npu_cycles += ran.value().cycles;
  for (std::size_t i = 0; i < reg::kPmEventCounters; ++i) {
    stats_.events[i] += ran.value().events[i];
  }

  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const IoTensor io = outputs[i];
    std::memcpy(args[inputs.size() + i]->toTensor().mutable_data_ptr(), scratch.data() + io.offset,
                io.size_bytes);
  }
  return Error::Ok;
}

void EthosUBackend::destroy(DelegateHandle*) const {
  // The handle is plain data in the method allocator, which the caller reclaims.
}

Error EthosUBackend::FailAt(Status status, const char* text, std::uint64_t number) const {
  failure_.status = status;
  Text(failure_.text) << "EthosUBackend: " << text << " (" << number << ")";
  return ToError(status);
}

Error EthosUBackend::FailNpu(Status status) const {
  failure_.status = status;
  Describe(npu_.failure(), failure_.text);
  return ToError(status);
}

Result<EthosUBackend*> RegisterBackend(Npu& npu) {
  // Placed by hand: a function-local static would bring in destructor
  // registration, and a namespace-scope one would run before main().
  alignas(EthosUBackend) static std::byte storage[sizeof(EthosUBackend)];
  static bool registered = false;
  if (registered) return Status::kBusy;

  auto* backend = new (storage) EthosUBackend(npu);
  switch (executorch::runtime::register_backend({kBackendName, backend})) {
    case Error::Ok:
      registered = true;
      return backend;
    case Error::InvalidArgument:
      return Status::kBusy;
    default:
      return Status::kNoMemory;
  }
}

}  // namespace pilotlight::ethos_u
