// SPDX-License-Identifier: Apache-2.0
//
// One model of the image: load it, give it inputs, run it, read its outputs.
//
// Owns the runtime's structures for one program, in memory that the caller and
// the generated descriptor provide. It never allocates. This class knows ExecuTorch and the Ethos-U
// delegate. It does not know boards or where inputs come from.
//
// Lifecycle: place a Model in static storage. Call Open() once. Then, for each
// inference:  Poison() (optional)  InputBuffer()...  Run()  OutputBuffer().
// A model with tied inputs: ResetTies(), then for each step:  InputBuffer()... of the other inputs
// Run()  OutputBuffer()...  CommitTies().
// Several models may be open at the same time; they run one after another.
// Thread context only, one thread. Design: firmware/model/DESIGN.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include <executorch/extension/data_loader/buffer_data_loader.h>
#include <executorch/runtime/core/hierarchical_allocator.h>
#include <executorch/runtime/executor/memory_manager.h>
#include <executorch/runtime/executor/method.h>
#include <executorch/runtime/executor/program.h>

#include "pilotlight/base/span.h"
#include "pilotlight/base/status.h"
#include "pilotlight/ethos_u/backend.h"
#include "pilotlight/model/descriptor.h"
#include "pilotlight/model/marked_allocator.h"

namespace pilotlight::model {

inline constexpr std::size_t kMaxInputs = 16;
inline constexpr std::size_t kMaxOutputs = 16;
inline constexpr std::size_t kMaxPlannedBuffers = 8;

// What one Run() cost.
struct InferenceStats {
  std::uint64_t duration_us = 0;  // Method::execute(), including the NPU's time.
  std::uint64_t cpu_cycles = 0;   // From platform::CpuCycles(), without waits.
  ethos_u::BackendStats npu;      // The cost of all delegate calls in it.
  std::uint32_t npu_status = 0;   // The NPU's STATUS if it failed; else 0.
};

struct PoolUse {
  std::size_t used_bytes = 0;  // High-water mark since Open().
  std::size_t size_bytes = 0;
};

struct MemoryStats {
  PoolUse method_pool;
  PoolUse temp_pool;
  PoolUse planned;  // All planned buffers together.
};

class Model {
 public:
  Model() = default;
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  // Loads method "forward" of the descriptor's program and checks that the program
  // matches the descriptor: hash, inputs, outputs, planned buffers and state. `npu` is
  // the registered delegate, or null in an image without one. `descriptor` and `npu`
  // must outlive the open model.
  //
  // kBusy         open already.
  // kBadModel     the .pte is malformed, does not match the descriptor, or was exported
  //               by another version of ExecuTorch.
  // kUnsupported  the model needs an operator or a backend that this image lacks, or the
  //               memory plan has no place for an input or output.
  // kNoMemory     the method pool or a planned buffer is too small.
  // kMisaligned   the .pte is not 16-byte aligned.
  // kMisaligned, kWrongNpu, kTimeout, kDeviceFault   from the delegate.
  // failure_text() gives the details.
  Status Open(const pilotlight_model_descriptor_t& descriptor, ethos_u::EthosUBackend* npu);

  // Destroys the objects that Open() built; other models may then use the pools. Does nothing if
  // the model is not open.
  void Close();

  // Fills the temp pool and all planned buffers except the state with `pattern`, so
  // that no data of an earlier inference can pass for a result. The fill covers inputs and outputs,
  // so all inputs must be filled again. Does nothing if the model is not open.
  void Poison(std::byte pattern);

  // Resets the state, which is the data that an inference passes to the next one, to the values
  // that Open() gave it. Does nothing if the model keeps no state.
  //
  // kBadArgument  not open.
  Status ResetState();

  // Fills all tied inputs with zeros, as real numbers. This counts as filling them.
  //
  // kBadArgument  not open.
  Status ResetTies();

  // Copies the tied outputs of the last Run() into slot `slot` of their inputs; an output that is
  // tied as a whole replaces its input. This counts as filling the tied inputs for the next Run(),
  // if they were filled for the last one. Call it after Run(), before InputBuffer().
  //
  // kBadArgument  not open, the model has no ties, an input has no slot `slot`, or there are no
  //     outputs to commit: no Run() returned kOk since Open(), Poison(), InputBuffer() or the last
  //     commit.
  Status CommitTies(std::uint32_t slot);

  // The memory of input `index`, for the caller to fill. Calling this counts as filling the
  // input. Empty if there is no such input.
  Span<std::byte> InputBuffer(std::size_t index);

  // Runs the model once. `deadline_us` is a platform::NowUs() value. The deadline bounds only the
  // time on the NPU; CPU operators run to their end. Inputs must be filled for each inference,
  // because an inference may overwrite its inputs. Tied inputs are not overwritten. They must be
  // filled too, by CommitTies(), so that no step works on a stale cache. A failed Run() leaves
  // them filled.
  //
  // kBadArgument  the model is not open, or an input was not filled since the last
  //     Run() or Poison().
  // kTimeout, kDeviceFault  the NPU failed and was reset. Another Run() may follow. The
  //     state may be partly updated: call ResetState() first.
  // kNoMemory     the temp pool is too small.
  // kBadModel     an operator refused its arguments.
  Status Run(std::uint64_t deadline_us);

  // The memory of output `index`. The memory holds a result only after a Run() that returned kOk.
  // Empty if there is no such output.
  Span<const std::byte> OutputBuffer(std::size_t index) const;

  bool is_open() const { return open_; }

  // The descriptor's entries; empty if the model is not open.
  Span<const pilotlight_tensor_info_t> inputs() const;
  Span<const pilotlight_tensor_info_t> outputs() const;

  const InferenceStats& last_inference() const { return last_inference_; }
  MemoryStats memory() const;

  // The reason for the last failure; "" if there was none. Open(), Run() and CommitTies() clear
  // the text when they start; ResetState() and ResetTies() do not.
  const char* failure_text() const { return failure_text_; }

 private:
  // model_loading.cpp
  Status Load();
  void Destroy();
  Status CheckOrigin();
  Status CheckBackends(const executorch::runtime::MethodMeta& meta);
  Status PlacePlannedBuffers(const executorch::runtime::MethodMeta& meta);
  Status BindInputs(const executorch::runtime::MethodMeta& meta);
  Status BindOutputs(const executorch::runtime::MethodMeta& meta);
  Status CheckTensor(const executorch::runtime::TensorInfo& info,
                     const pilotlight_tensor_info_t& described, const char* side,
                     std::size_t index);
  Status CheckState();
  Status CheckTies();
  bool IsTied(std::size_t input) const;
  bool IsPlanned(Span<std::byte> bytes) const;

  // model.cpp
  bool IsState(std::uint32_t planned_buffer) const;
  bool AllInputsGiven() const;

  Status Fail(Status status, const char* text);
  Status FailAt(Status status, const char* text, std::size_t number);
  Status FailTensor(Status status, const char* side, std::size_t index, const char* text);
  Status FailRuntime(const char* doing, executorch::runtime::Error error);
  bool FailPool(const char* pool, const std::optional<MarkedAllocator>& allocator);

  const pilotlight_model_descriptor_t* descriptor_ = nullptr;
  ethos_u::EthosUBackend* npu_ = nullptr;
  bool open_ = false;
  char failure_text_[192] = "";
  InferenceStats last_inference_;

  Span<std::byte> inputs_[kMaxInputs];
  Span<std::byte> outputs_[kMaxOutputs];
  bool given_[kMaxInputs] = {};
  bool commit_pending_ = false;  // The outputs of the last Run() are there, and not committed.

  // Destroyed in reverse order, because the method refers to all members above it.
  std::optional<executorch::extension::BufferDataLoader> loader_;
  std::optional<executorch::runtime::Program> program_;
  std::optional<MarkedAllocator> method_allocator_;
  std::optional<MarkedAllocator> temp_allocator_;
  std::size_t planned_use_bytes_ = 0;
  executorch::runtime::Span<std::uint8_t> planned_spans_[kMaxPlannedBuffers];
  std::optional<executorch::runtime::HierarchicalAllocator> planned_memory_;
  std::optional<executorch::runtime::MemoryManager> memory_manager_;
  std::optional<executorch::runtime::Method> method_;
};

}  // namespace pilotlight::model
