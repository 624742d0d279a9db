// SPDX-License-Identifier: Apache-2.0
//
// Decodes the schema's chains to instructions that the run loop only has to follow. Indices were
// verified when the program was loaded; here they become pointers. Private to firmware/executorch.
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
    kLender,  // et_view: gives its last argument the memory of its first.
    kDelegate,
    kMove,
    kJumpFalse,
    kFree,
  };

  Kind kind : 3;
  // An argument's memory may change between runs, or may be missing. The run loop checks such an
  // argument before each call. For a lender: the run loop takes the lent memory back before the
  // next run.
  bool memory_varies : 1;
  // For kernels: the fields of WrittenArgs.
  std::uint16_t first_written : 6;
  std::uint16_t written_count : 5;
  bool returned : 1;
  std::uint16_t arg_count;  // For kernels and delegates.
  union {
    OpFunction kernel;
    const BackendDelegate* delegate;
    EValue* move_to;
    // Index of an instruction in the same chain. The chain's length ends the chain.
    std::size_t jump_to;
  };
  union {
    EValue** args;  // For kernels and delegates.
    EValue* value;  // The value to move, test or free.
  };
};
static_assert(sizeof(void*) != 4 || sizeof(Instruction) == 12, "codegen/method_pool.py says so");

struct Chain {
  Instruction* instructions;
  std::size_t count;
};

class InstructionDecoder final {
 public:
  // Size of "name.overload" with its terminator. The longest operator of upstream needs 60.
  static constexpr std::size_t kMaxOperatorName = 128;

  // `values` and `delegates` are those of `plan` and are already built. If `kernels` is empty, the
  // global registry is used. All arguments must outlive the decoder.
  InstructionDecoder(const executorch_flatbuffer::ExecutionPlan& plan, EValue* values,
                     const BackendDelegate* delegates, Span<const Kernel> kernels,
                     MemoryAllocator* pool);

  // OperatorMissing         some operators have no kernel; each of them is logged.
  // MemoryAllocationFailed  the method pool is too small.
  // InvalidProgram          a call has the wrong number of arguments, or the kernel would write a
  //                         constant or into another argument.
  // InvalidType             an argument is of the wrong kind.
  Error Decode(const executorch_flatbuffer::Chain& chain, Chain* out);

  // Call it when all chains are decoded. If decoding changed the kind of a value, this function
  // checks all kinds a second time. Afterwards, no instruction changes a kind.
  Error VerifyKinds(Span<const Chain> chains);

 private:
  // A cache entry: an operator with one kernel for all dtypes and dim orders. A program calls few
  // operators many times.
  struct Known {
    std::uint32_t op_index;
    bool lends_memory;
    OpFunction kernel;      // Null: the entry is empty.
    const char* signature;  // Null: calls are not checked.
  };
  static constexpr std::size_t kKnown = 32;

  Error DecodeOne(const executorch_flatbuffer::Instruction& instruction, Instruction* out);
  Error DecodeArgs(const flatbuffers::Vector<std::int32_t>& indices, Instruction* out);
  Error FindKernel(std::uint32_t op_index, Instruction* out, const char** signature);
  Error VerifyKindsOf(Instruction* instruction, std::uint32_t op_index, const char* signature);
  Error VerifyCall(Instruction* call, std::uint32_t op_index, const char* signature);
  // Whether value `index` is a constant tensor or a list that contains one.
  bool HoldsConstant(std::size_t index) const;
  Error VerifyWrites(Instruction* call, std::uint32_t op_index, const char* signature) const;
  Error RefuseWrite(std::uint32_t op_index, std::size_t argument, const char* why) const;
  // Whether `test` is true for the tensor at value `index`, or for any tensor of the list there.
  template <typename Test>
  bool AnyTensor(std::size_t index, const Test& test) const;
  // Whether value `index` is, or lists, a tensor that gets its memory from the caller or from
  // another instruction.
  bool MemoryVaries(std::size_t index) const;

  const executorch_flatbuffer::ExecutionPlan& plan_;
  EValue* values_;
  const BackendDelegate* delegates_;
  Span<const Kernel> kernels_;
  MemoryAllocator* pool_;
  bool any_memory_varies_;
  Known known_[kKnown] = {};
  // The exporter stores the integer 0 for each result of a primitive, whatever its kind will be. In
  // the first round (settles_) such a value gets its kind; `settled_` records that this happened.
  // In the second round no value may change its kind.
  bool settled_ = false;
  bool settles_ = true;
  bool missing_ = false;  // An operator is missing, so some kinds are unknown.
};

}  // namespace runtime
}  // namespace executorch
