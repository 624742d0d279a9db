// SPDX-License-Identifier: Apache-2.0
//
// One run of one program: read program and inputs, execute, write the outputs.
#pragma once

#include <cstddef>
#include <optional>

#include <executorch/extension/data_loader/buffer_data_loader.h>
#include <executorch/runtime/core/hierarchical_allocator.h>
#include <executorch/runtime/core/memory_allocator.h>
#include <executorch/runtime/executor/memory_manager.h>
#include <executorch/runtime/executor/method.h>
#include <executorch/runtime/executor/program.h>

#include "command_line.h"
#include "pilotlight/base/span.h"
#include "pilotlight/ethos_u/backend.h"

namespace pilotlight::executor_runner {

inline constexpr std::size_t kMaxPlannedBuffers = 16;

class ProgramRun {
 public:
  // `memory` is for the program and all its arenas. The NPU must be able to reach this memory.
  ProgramRun(Span<std::byte> memory, ethos_u::EthosUBackend& npu);

  // False on failure; failure() says why. Outputs exist only after true.
  bool Run(const CommandLine& command_line);
  const char* failure() const { return failure_; }

 private:
  using Allocator = executorch::runtime::MemoryAllocator;

  bool ReadProgram(const char* path);
  bool PlaceBuffers();
  bool LoadMethod();
  bool ReadInput(std::size_t index, const char* path);
  bool SetNumber(std::size_t index, const executorch::runtime::EValue& input,
                 Span<const std::byte> bytes);
  bool Execute();
  bool WriteOutputs(const char* base);
  bool RemoveOutputs(const char* base);
  Span<std::byte> ReadFile(const char* path);

  bool Fail(const char* text, const char* subject = "");
  bool FailAt(const char* text, std::size_t number);
  bool FailRuntime(const char* doing, executorch::runtime::Error error);

  ethos_u::EthosUBackend& npu_;
  Allocator memory_;
  executorch::runtime::Span<std::uint8_t> planned_spans_[kMaxPlannedBuffers];
  std::optional<executorch::extension::BufferDataLoader> loader_;
  std::optional<executorch::runtime::Program> program_;
  std::optional<executorch::runtime::HierarchicalAllocator> planned_;
  std::optional<Allocator> method_pool_;
  std::optional<Allocator> temp_pool_;
  std::optional<executorch::runtime::MemoryManager> manager_;
  std::optional<executorch::runtime::Method> method_;
  char failure_[256] = "";
};

}  // namespace pilotlight::executor_runner
