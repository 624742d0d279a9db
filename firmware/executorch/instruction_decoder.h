// SPDX-License-Identifier: Apache-2.0
//
// From the schema's chains to instructions that only have to be followed: every
// index is looked up and checked here, and never in the run loop. Private to
// firmware/executorch.
#pragma once

#include <cstddef>
#include <cstdint>

#include <executorch/runtime/executor/method.h>

#include "backend_delegate.h"
#include "program_schema.h"

namespace executorch {
namespace runtime {

// One instruction of the .pte, ready to run: 12 bytes on a 32-bit machine.
struct Instruction {
  enum class Kind : std::uint8_t { kKernel, kDelegate, kMove, kJumpFalse, kFree };

  Kind kind;
  std::uint16_t arg_count;  // Of kernels and delegates.
  union {
    OpFunction kernel;
    const BackendDelegate* delegate;
    EValue* move_to;
    std::size_t jump_to;  // Instruction of the same chain; its length ends the chain.
  };
  union {
    EValue** args;  // Of kernels and delegates.
    EValue* value;  // What is moved, tested or freed.
  };
};

struct Chain {
  Instruction* instructions;
  std::size_t count;
};

class InstructionDecoder final {
 public:
  // `values` and `delegates` are those of `plan`, built already. An empty
  // `kernels` stands for the global registry. All arguments outlive the decoder.
  InstructionDecoder(const executorch_flatbuffer::ExecutionPlan& plan, EValue* values,
                     const BackendDelegate* delegates, Span<const Kernel> kernels,
                     MemoryAllocator* pool)
      : plan_(plan), values_(values), delegates_(delegates), kernels_(kernels), pool_(pool) {}

  // InvalidProgram          the chain refers to something that does not exist.
  // OperatorMissing         some operators have no kernel; each one is logged.
  // MemoryAllocationFailed  the method pool is too small.
  Error Decode(const executorch_flatbuffer::Chain& chain, Chain* out);

 private:
  Error DecodeOne(const executorch_flatbuffer::Instruction& instruction, std::size_t chain_length,
                  Instruction* out);
  Error DecodeArgs(const flatbuffers::Vector<std::int32_t>* indices, Instruction* out);
  Error DecodeKernel(const executorch_flatbuffer::KernelCall& call, Instruction* out);
  Error DecodeDelegate(const executorch_flatbuffer::DelegateCall& call, Instruction* out);
  EValue* ValueAt(std::int32_t index) const;

  const executorch_flatbuffer::ExecutionPlan& plan_;
  EValue* values_;
  const BackendDelegate* delegates_;
  Span<const Kernel> kernels_;
  MemoryAllocator* pool_;
};

}  // namespace runtime
}  // namespace executorch
