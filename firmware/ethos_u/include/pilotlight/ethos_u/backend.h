// SPDX-License-Identifier: Apache-2.0
//
// The ExecuTorch delegate: what a runtime calls for the parts of a model that
// were compiled for the NPU. Works with any provider of the ExecuTorch headers.
//
// Owns no memory: handles live in the runtime's method allocator, the scratch
// region in its temp allocator. Weights and commands are used where the .pte
// lies, so that must be 16-byte aligned and visible to the NPU.
#pragma once

#include <cstddef>
#include <cstdint>

#include <executorch/runtime/backend/interface.h>

#include "pilotlight/base/status.h"
#include "pilotlight/ethos_u/npu.h"

namespace pilotlight::ethos_u {

// The name by which a .pte asks for this backend.
inline constexpr const char* kBackendName = "EthosUBackend";

// ExecuTorch's Error has no room for a reason; this has.
struct BackendFailure {
  Status status = Status::kOk;
  std::uint32_t npu_status = 0;  // The STATUS register when a run failed; else 0.
  char text[192] = "";
};

// What the delegate calls since BeginInference() cost.
struct BackendStats {
  std::uint32_t runs = 0;
  std::uint64_t npu_cycles = 0;
  std::uint64_t npu_us = 0;  // From handing over the stream to its end; the CPU sleeps meanwhile.
  std::uint64_t events[reg::kPmEventCounters] = {};
};

class EthosUBackend final : public executorch::runtime::BackendInterface {
 public:
  explicit EthosUBackend(Npu& npu) : npu_(npu) {}

  // Call before Method::execute(): bounds every NPU run in it by `deadline_us`
  // (a platform::NowUs() value), clears failure() and stats(). Until the first
  // call every run times out at once.
  void BeginInference(std::uint64_t deadline_us);

  // Memory near the NPU for programs compiled with a Dedicated_Sram memory mode (region 2); they
  // are refused without, and when they leave it. Whole cache lines, as large as the mode was told.
  // Call before models are loaded: they are verified for this size. Borrowed until the next call.
  void SetFastScratch(Span<std::byte> memory) { fast_scratch_ = memory; }

  // The last failure since BeginInference() or ClearFailure().
  const BackendFailure& failure() const { return failure_; }
  void ClearFailure() { failure_ = {}; }
  const BackendStats& stats() const { return stats_; }

  // ExecuTorch's side. Errors:
  //   InvalidProgram                  malformed, or tensors that the blob does not describe
  //   DelegateInvalidCompatibility    unsupported, or for another NPU
  //   MemoryAllocationFailed          method pool or temp pool too small
  //   InvalidArgument                 misaligned or unreachable memory
  //   Internal                        the NPU failed
  // The Status and text behind each are in failure(), and in one line of the log.
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
      const Handle& handle, Span<std::byte> scratch,
      executorch::runtime::Span<executorch::runtime::EValue*> args) const;

  Npu& npu_;
  Span<std::byte> fast_scratch_;
  std::uint64_t simulator_us_ = 0;  // SimulatorUs() when the deadline was set.
  // The interface is const throughout; these are its results, not its state.
  mutable std::uint64_t deadline_us_ = 0;
  mutable BackendFailure failure_;
  mutable BackendStats stats_;
};

// Makes the image's one EthosUBackend and registers it with the runtime. Call
// once, after npu.Open() and before any model is loaded. `npu` must live on.
//
// kBusy      called before, or another backend has this name.
// kNoMemory  the runtime's backend table is full.
Result<EthosUBackend*> RegisterBackend(Npu& npu);

}  // namespace pilotlight::ethos_u
