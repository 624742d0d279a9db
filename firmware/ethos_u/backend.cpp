// SPDX-License-Identifier: Apache-2.0
#include "pilotlight/ethos_u/backend.h"

#include <cstring>
#include <iterator>
#include <new>

#include <executorch/runtime/platform/log.h>

#include "pilotlight/base/text.h"
#include "pilotlight/ethos_u/program.h"
#include "pilotlight/platform/clock.h"

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
      return Error::InvalidProgram;
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

// Whole cache lines. Otherwise invalidation would drop data of a neighbour.
std::size_t WholeLines(std::size_t size) {
  return (size + kCacheLineBytes - 1) / kCacheLineBytes * kCacheLineBytes;
}

std::byte* Place(Span<const Region> regions, const IoTable& table, std::size_t index) {
  return regions[table.region(index)].bytes().data() + table.offset(index);
}

}  // namespace

// One delegate of a loaded method. init() has verified it.
struct EthosUBackend::Handle {
  Program program;
  std::uint32_t fast_scratch_bytes = 0;  // Size at verification; 0: not used.
};

void EthosUBackend::BeginInference(std::uint64_t deadline_us) {
  deadline_us_ = deadline_us;
  simulator_us_ = npu_.SimulatorUs();
  stats_ = {};
  failure_ = {};
}

bool EthosUBackend::is_available() const { return true; }

executorch::runtime::Result<DelegateHandle*> EthosUBackend::init(BackendInitContext& context,
                                                                 FreeableBuffer* processed,
                                                                 ArrayRef<CompileSpec>) const {
  // The code generator computes the size of method pools from this size
  // (python/pilotlight/codegen/arenas.py).
  static_assert(sizeof(Handle) == (sizeof(void*) == 4 ? 44 : 72), "HANDLE_BYTES in arenas.py");

  Handle verified;
  const bool there = processed != nullptr && processed->data() != nullptr;
  const Span<const std::byte> blob(
      there ? static_cast<const std::byte*>(processed->data()) : nullptr,
      there ? processed->size() : 0);
  const auto fast_scratch_bytes = static_cast<std::uint32_t>(fast_scratch_.size());
  Failure why;
  if (VerifyProgram(blob, npu_.identity(), fast_scratch_bytes, verified.program, why) !=
      Status::kOk) {
    return Refuse(why);
  }
  if (npu_.CheckPlace(verified.program) != Status::kOk) return Refuse(npu_.failure());
  if ((verified.program.used_regions >> kFastScratchRegion & 1) != 0) {
    verified.fast_scratch_bytes = fast_scratch_bytes;
  }

  Handle* handle = context.get_runtime_allocator()->allocateInstance<Handle>();
  if (handle == nullptr) {
    return FailAt(Status::kNoMemory, "method pool is too small for a delegate handle; bytes needed",
                  sizeof(Handle));
  }
  return new (handle) Handle(verified);
}

Error EthosUBackend::execute(BackendExecutionContext& context, DelegateHandle* opaque,
                             executorch::runtime::Span<EValue*> args) const {
  if (opaque == nullptr) return Error::DelegateInvalidHandle;
  const Handle& handle = *static_cast<const Handle*>(opaque);

  const Program& program = handle.program;
  Region regions[kOutputRegion + 1];
  if (!program.weights.empty()) regions[0] = Region::ReadOnly(program.weights);
  if (!fast_scratch_.empty()) regions[kFastScratchRegion] = Region::Written(fast_scratch_);
  for (std::size_t i = 0; i < std::size(kMemoryRegions); ++i) {
    const std::size_t size = WholeLines(program.memory_bytes[i]);
    if (size == 0) continue;
    void* const memory = context.allocate(size, kCacheLineBytes);
    if (memory == nullptr) {
      return FailAt(Status::kNoMemory, "temp pool is too small for the NPU's scratch; bytes needed",
                    size);
    }
    regions[kMemoryRegions[i]] = Region::Written({static_cast<std::byte*>(memory), size});
  }
  return Run(handle, regions, args);
}

Error EthosUBackend::Run(const Handle& handle, Span<const Region> regions,
                         executorch::runtime::Span<EValue*> args) const {
  const IoTable& inputs = handle.program.inputs;
  const IoTable& outputs = handle.program.outputs;
  const std::size_t input_count = inputs.size();
  // Vela removes inputs that no operator reads, but the call still passes them. Without any input
  // left, the arguments before the outputs are such inputs.
  if (input_count == 0 && args.size() > outputs.size()) {
    const std::size_t unread = args.size() - outputs.size();
    args = {args.data() + unread, outputs.size()};
  }
  if (args.size() != input_count + outputs.size()) {
    return FailAt(Status::kBadModel, "the delegate call's number of arguments is wrong",
                  args.size());
  }
  for (std::size_t i = 0; i < args.size(); ++i) {
    const IoTensor io = i < input_count ? inputs[i] : outputs[i - input_count];
    if (!args[i]->isTensor()) {
      return FailAt(Status::kBadModel, "a delegate argument is not a tensor", i);
    }
    const auto& tensor = args[i]->toTensor();
    if (tensor.nbytes() != io.size_bytes ||
        static_cast<std::size_t>(tensor.element_size()) != io.element_bytes ||
        tensor.const_data_ptr() == nullptr) {
      return FailAt(Status::kBadModel, "a delegate argument does not have the compiled size", i);
    }
  }

  if (fast_scratch_.size() < handle.fast_scratch_bytes) {
    return FailAt(Status::kNoMemory, "fast scratch shrank since the model was loaded; bytes needed",
                  handle.fast_scratch_bytes);
  }

  for (std::size_t i = 0; i < input_count; ++i) {
    const auto& tensor = args[i]->toTensor();
    std::byte* const place = Place(regions, inputs, i);
    if (tensor.const_data_ptr() != place) {
      std::memcpy(place, tensor.const_data_ptr(), tensor.nbytes());
    }
  }

  const std::uint64_t start_us = platform::NowUs();
  Result<RunStats> ran =
      npu_.Run(handle.program, regions, npu_.MovedOn(deadline_us_, simulator_us_));
  if (!ran.ok()) return Refuse(npu_.failure());
  ++stats_.runs;
  stats_.npu_cycles += ran.value().cycles;
  stats_.npu_us += platform::NowUs() - start_us;
  for (std::size_t i = 0; i < reg::kPmEventCounters; ++i) {
    stats_.events[i] += ran.value().events[i];
  }

  for (std::size_t i = input_count; i < args.size(); ++i) {
    const auto& tensor = args[i]->toTensor();
    const std::byte* const place = Place(regions, outputs, i - input_count);
    if (tensor.const_data_ptr() != place) {
      std::memcpy(tensor.mutable_data_ptr(), place, tensor.nbytes());
    }
  }
  return Error::Ok;
}

void EthosUBackend::destroy(DelegateHandle*) const {
  // The handle is plain data in the method allocator. The caller frees that.
}

Error EthosUBackend::FailAt(Status status, const char* text, std::uint64_t number) const {
  failure_.status = status;
  failure_.npu_status = 0;
  Text(failure_.text) << "EthosUBackend: " << text << " (" << number << ")";
  return LogFailure();
}

Error EthosUBackend::Refuse(const Failure& why) const {
  failure_.status = why.status;
  failure_.npu_status = why.npu_status;
  Describe(why, failure_.text);
  return LogFailure();
}

Error EthosUBackend::LogFailure() const {
  ET_LOG(Error, "%s", failure_.text);
  return ToError(failure_.status);
}

Result<EthosUBackend*> RegisterBackend(Npu& npu) {
  // Constructed in static storage: a function-local static would register a destructor, and the
  // constructor of a namespace-scope object would run before main().
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
