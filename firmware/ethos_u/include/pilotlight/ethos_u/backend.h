// SPDX-License-Identifier: Apache-2.0
//
// The ExecuTorch delegate. The runtime calls the delegate for the parts of a model that were
// compiled for the NPU. This delegate works with any provider of the ExecuTorch headers.
//
// It owns no memory. Handles are in the runtime's method allocator, and the scratch region is
// in its temp allocator. The NPU reads weights and commands directly from the .pte, so the
// .pte must be 16-byte aligned and visible to the NPU.
#pragma once

#include <cstddef>
#include <cstdint>

#include <executorch/runtime/backend/interface.h>

#include "pilotlight/base/status.h"
#include "pilotlight/ethos_u/npu.h"

namespace pilotlight::ethos_u {

// The name of this backend in a .pte.
inline constexpr const char* kBackendName = "EthosUBackend";

// The reason for a failure, which ExecuTorch's Error cannot carry.
struct BackendFailure {
  Status status = Status::kOk;
  std::uint32_t npu_status = 0;  // The STATUS register if a run failed, else 0.
  char text[192] = "";
};

// The cost of all delegate calls since BeginInference().
struct BackendStats {
  std::uint32_t runs = 0;
  std::uint64_t npu_cycles = 0;
  std::uint64_t npu_us = 0;  // Time in Npu::Run(), where the CPU waits for the NPU.
  std::uint64_t events[reg::kPmEventCounters] = {};
};

class EthosUBackend final : public executorch::runtime::BackendInterface {
 public:
  explicit EthosUBackend(Npu& npu) : npu_(npu) {}

  // Call before Method::execute(). Limits every NPU run of that call by `deadline_us`, a
  // platform::NowUs() value. Clears failure() and stats(). Before the first call, every run times
  // out at once.
  void BeginInference(std::uint64_t deadline_us);

  // Sets region 2: memory near the NPU, for programs that were compiled with a Dedicated_Sram
  // memory mode. Such programs are refused without this memory, or if they access bytes outside it.
  // The memory consists of whole cache lines and has the size that was given to that mode. Call
  // this before models are loaded, because the load verifies models for this size. Borrowed until
  // the next call.
  void SetFastScratch(Span<std::byte> memory) { fast_scratch_ = memory; }

  // The last failure since BeginInference() or ClearFailure().
  const BackendFailure& failure() const { return failure_; }
  void ClearFailure() { failure_ = {}; }
  const BackendStats& stats() const { return stats_; }

  // ExecuTorch's interface. Errors:
  //   InvalidProgram                  malformed, or the tensors are not those of the blob
  //   DelegateInvalidCompatibility    unsupported, or compiled for another NPU
  //   MemoryAllocationFailed          method pool or temp pool too small
  //   InvalidArgument                 misaligned or unreachable memory
  //   Internal                        the NPU failed
  // For each error, failure() has a Status and a text. The text is also one line of the log.
  bool is_available() const override;
  executorch::runtime::Result<executorch::runtime::DelegateHandle*> init(
      executorch::runtime::BackendInitContext& context,
      executorch::runtime::FreeableBuffer* processed,
      executorch::runtime::ArrayRef<executorch::runtime::CompileSpec> compile_specs) const override;
  executorch::runtime::Error execute(
      executorch::runtime::BackendExecutionContext& context,
      executorch::runtime::DelegateHandle* handle,
      executorch::runtime::Span<executorch::runtime::EValue*> args) const override;
  void destroy(executorch::runtime::DelegateHandle* handle) const override;

 private:
  struct Handle;

  executorch::runtime::Error FailAt(Status status, const char* text, std::uint64_t number) const;
  executorch::runtime::Error Refuse(const Failure& why) const;
  executorch::runtime::Error LogFailure() const;
  executorch::runtime::Error Run(
      const Handle& handle, Span<const Region> regions,
      executorch::runtime::Span<executorch::runtime::EValue*> args) const;

  Npu& npu_;
  Span<std::byte> fast_scratch_;
  std::uint64_t simulator_us_ = 0;  // SimulatorUs() when BeginInference() was called.
  // Mutable, because the interface's functions are const and have no other way to return these.
  mutable std::uint64_t deadline_us_ = 0;
  mutable BackendFailure failure_;
  mutable BackendStats stats_;
};

// Makes the image's only EthosUBackend and registers it with the runtime. Call it once, after
// npu.Open() and before any model is loaded. `npu` must outlive the backend.
//
// kBusy      the backend is registered already, or another backend has this name.
// kNoMemory  the runtime's backend table is full.
Result<EthosUBackend*> RegisterBackend(Npu& npu);

}  // namespace pilotlight::ethos_u
