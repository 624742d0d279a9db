// SPDX-License-Identifier: Apache-2.0
//
// One model of the image: load it, give it inputs, run it, read its outputs.
//
// Owns the runtime's structures for one program, in memory that the caller and
// the generated descriptor provide; it never allocates. It knows ExecuTorch and
// the Ethos-U delegate, and nothing about boards or where inputs come from.
//
// Lifecycle: place a Model in static storage; Open() once; then for each
// inference  Poison() (optional)  SetInput()...  Run()  OutputBuffer().
// Several models may be open at the same time; they run one after another.
// Thread context only, one thread. Design: firmware/model/DESIGN.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include <executorch/extension/data_loader/buffer_data_loader.h>
#include <executorch/runtime/core/hierarchical_allocator.h>
#include <executorch/runtime/core/memory_allocator.h>
#include <executorch/runtime/executor/memory_manager.h>
#include <executorch/runtime/executor/method.h>
#include <executorch/runtime/executor/program.h>

#include "pilotlight/base/span.h"
#include "pilotlight/base/status.h"
#include "pilotlight/ethos_u/backend.h"
#include "pilotlight/model/descriptor.h"

namespace pilotlight::model {

inline constexpr std::size_t kMaxInputs = 16;
inline constexpr std::size_t kMaxOutputs = 16;
inline constexpr std::size_t kMaxPlannedBuffers = 8;

// A bump allocator that remembers the most it ever held. `reset()`, which the
// runtime calls after every instruction, does not clear the mark. While it is
// sealed there is no memory: who asks gets null, and the inference fails with
// MemoryAllocationFailed.
class MarkedAllocator final : public executorch::runtime::MemoryAllocator {
 public:
  using MemoryAllocator::MemoryAllocator;
  void* allocate(std::size_t size, std::size_t alignment = kDefaultAlignment) override;
  std::size_t high_water_bytes() const { return high_water_bytes_; }
  // What was last asked for and not given; 0 when there always was enough.
  std::size_t refused_bytes() const { return refused_bytes_; }
  void set_sealed(bool sealed) { sealed_ = sealed; }
  bool refused_when_sealed() const { return refused_when_sealed_; }
  void forget_refusal() { refused_bytes_ = 0; }

 private:
  bool sealed_ = false;
  bool refused_when_sealed_ = false;
  std::size_t high_water_bytes_ = 0;
  std::size_t refused_bytes_ = 0;
};

// What one Run() cost.
struct InferenceStats {
  std::uint64_t duration_us = 0;  // All of Method::execute(), the NPU's time included.
  std::uint64_t cpu_cycles = 0;   // By platform::CpuCycles(), without waits.
  ethos_u::BackendStats npu;      // What the delegate calls in it cost.
  std::uint32_t npu_status = 0;   // The NPU's STATUS when it failed; else 0.
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

  // Loads method "forward" of the descriptor's program and checks that the
  // program is the one described: inputs, outputs, planned buffers. `npu` is
  // the registered delegate, or null in an image without one. Both must live on.
  //
  // kBusy         open already.
  // kBadModel     the .pte is malformed, not the one described (its hash is compared), or of
  //               another version of ExecuTorch.
  // kUnsupported  it needs an operator or a backend that this image lacks, or
  //               inputs or outputs that its memory plan does not place.
  // kNoMemory     the method pool or a planned buffer is too small.
  // kMisaligned, kWrongNpu, kTimeout, kDeviceFault   from the delegate.
  // failure_text() says which.
  Status Open(const pilotlight_model_descriptor_t& descriptor, ethos_u::EthosUBackend* npu);

  // Destroys what Open() built and leaves the pools to others. Does nothing when
  // not open.
  void Close();

  // Fills scratch and the memory plan, inputs and outputs with it, with `pattern`,
  // so that nothing of an earlier inference can pass for a result. All inputs must
  // be set again after it. State stays as it is. Only when open; does nothing
  // otherwise.
  void Poison(std::byte pattern);

  // Gives the state, which is what one inference leaves to the next, the values
  // that Open() gave it. A model without state stays as it is.
  //
  // kBadArgument  not open.
  Status ResetState();

  // Copies `bytes` into input `index` from byte `offset` on. A large input may
  // come in parts, in order of offset.
  //
  // kBadArgument  not open, no such input, beyond its end, or leaves a gap.
  Status SetInput(std::size_t index, std::size_t offset, Span<const std::byte> bytes);

  // The memory of input `index`, to be filled in place; counts as setting it.
  // Empty when there is none.
  Span<std::byte> InputBuffer(std::size_t index);

  // Runs the model once. `deadline_us` is a platform::NowUs() value and bounds
  // the NPU's part; CPU operators run to their end. An inference may overwrite
  // its inputs, so they have to be set for each.
  //
  // kBadArgument  not open, or an input was not set in full since the last Run().
  // kTimeout, kDeviceFault  the NPU; it was reset, another Run() may follow. State is
  //     what the inference has made of it so far: ResetState().
  // kNoMemory     the temp pool is too small.
  // kBadModel     an operator refused its arguments.
  Status Run(std::uint64_t deadline_us);

  // The memory of output `index`; its content is a result only after a Run()
  // that returned kOk. Empty when there is none.
  Span<const std::byte> OutputBuffer(std::size_t index) const;

  bool is_open() const { return open_; }

  // As described; empty when not open.
  Span<const pilotlight_tensor_info_t> inputs() const;
  Span<const pilotlight_tensor_info_t> outputs() const;

  const InferenceStats& last_inference() const { return last_inference_; }
  MemoryStats memory() const;

  // Why the last Open(), SetInput(), ResetState() or Run() failed; "" after success.
  const char* failure_text() const { return failure_text_; }

 private:
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
  bool IsPlanned(Span<std::byte> bytes) const;
  bool IsState(std::uint32_t planned_buffer) const;
  bool AllInputsSet() const;

  Status Fail(Status status, const char* text);
  Status FailAt(Status status, const char* text, std::size_t number);
  Status FailRuntime(const char* doing, executorch::runtime::Error error);
  bool FailPool(const char* pool, const std::optional<MarkedAllocator>& allocator);

  const pilotlight_model_descriptor_t* descriptor_ = nullptr;
  ethos_u::EthosUBackend* npu_ = nullptr;
  bool open_ = false;
  char failure_text_[192] = "";
  InferenceStats last_inference_;

  Span<std::byte> inputs_[kMaxInputs];
  Span<std::byte> outputs_[kMaxOutputs];
  std::size_t filled_bytes_[kMaxInputs] = {};

  // Destroyed from the last to the first: the method refers to all above it.
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
