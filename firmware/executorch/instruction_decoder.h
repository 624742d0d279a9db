// SPDX-License-Identifier: Apache-2.0
//
// From the schema's chains to instructions that only have to be followed: every
// index, verified when the program was loaded, becomes a pointer here. Private to
// firmware/executorch.
#pragma once

#include <cstddef>
#include <cstdint>

#include <executorch/runtime/executor/method.h>
#include <executorch/runtime/kernel/operator_registry.h>

#include "backend_delegate.h"
#include "program_schema.h"

namespace executorch {
namespace runtime {

// One instruction of the .pte, ready to run.
struct Instruction {
  enum class Kind : std::uint8_t {
    kKernel,
    kLender,  // A kernel that gives its last argument the memory of its first: et_view.
    kDelegate,
    kMove,
    kJumpFalse,
    kFree,
  };

  Kind kind : 3;
  // An argument gets its memory while the method runs, and may have none, or another's: a kernel
  // must not be called then. Of a lender: what it has lent is taken back before the next run.
  bool memory_varies : 1;
  // Of kernels: WrittenArgs.
  std::uint16_t first_written : 6;
  std::uint16_t written_count : 5;
  bool returned : 1;
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
static_assert(sizeof(void*) != 4 || sizeof(Instruction) == 12, "codegen/method_pool.py says so");

struct Chain {
  Instruction* instructions;
  std::size_t count;
};

class InstructionDecoder final {
 public:
  // "name.overload" with its terminator; the longest that upstream defines has 60.
  static constexpr std::size_t kMaxOperatorName = 128;

  // `values` and `delegates` are those of `plan`, built already. An empty
  // `kernels` stands for the global registry. All arguments outlive the decoder.
  InstructionDecoder(const executorch_flatbuffer::ExecutionPlan& plan, EValue* values,
                     const BackendDelegate* delegates, Span<const Kernel> kernels,
                     MemoryAllocator* pool);

  // OperatorMissing         some operators have no kernel; each one is logged.
  // MemoryAllocationFailed  the method pool is too small.
  // InvalidProgram          a call has another number of arguments than its kernel, or the
  //                         kernel would write a constant, or into another argument.
  // InvalidType             an argument is of another kind.
  Error Decode(const executorch_flatbuffer::Chain& chain, Chain* out);

  // When all chains are decoded: looks at all kinds once more, if a value has got
  // another than the file gives it. From then on no instruction changes a kind.
  Error VerifyKinds(Span<const Chain> chains);

 private:
  // The kernel of an operator that has one for all dtypes and dim orders. A program
  // calls few operators many times.
  struct Known {
    std::uint32_t op_index;
    bool lends_memory;
    OpFunction kernel;      // Null: nothing is known here yet.
    const char* signature;  // Null: its calls are not checked.
  };
  static constexpr std::size_t kKnown = 32;

  Error DecodeOne(const executorch_flatbuffer::Instruction& instruction, Instruction* out);
  Error DecodeArgs(const flatbuffers::Vector<std::int32_t>& indices, Instruction* out);
  Error FindKernel(std::uint32_t op_index, Instruction* out, const char** signature);
  Error VerifyKindsOf(Instruction* instruction, std::uint32_t op_index, const char* signature);
  Error VerifyCall(Instruction* call, std::uint32_t op_index, const char* signature);
  // Whether value `index`, a tensor or a list of tensors, is or holds a constant.
  bool HoldsConstant(std::size_t index) const;
  Error VerifyWrites(Instruction* call, std::uint32_t op_index, const char* signature) const;
  Error RefuseWrite(std::uint32_t op_index, std::size_t argument, const char* why) const;
  // Whether the tensor that value `index` is, or one of those that it lists, passes.
  template <typename Test>
  bool AnyTensor(std::size_t index, const Test& test) const;
  // Whether value `index`, a tensor or a list of tensors, gets memory from the caller or from
  // another instruction.
  bool MemoryVaries(std::size_t index) const;

  const executorch_flatbuffer::ExecutionPlan& plan_;
  EValue* values_;
  const BackendDelegate* delegates_;
  Span<const Kernel> kernels_;
  MemoryAllocator* pool_;
  bool any_memory_varies_;
  Known known_[kKnown] = {};
  // Results of primitives: the exporter writes the integer 0 for each, whatever its kind
  // will be. In the first round such a value gets its kind, in the second none does.
  bool settled_ = false;
  bool settles_ = true;
  bool missing_ = false;  // An operator, so that no kind is known for certain.
};

}  // namespace runtime
}  // namespace executorch
