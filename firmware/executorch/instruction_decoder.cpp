// SPDX-License-Identifier: Apache-2.0
#include "instruction_decoder.h"

#include <cstring>

#include "operator_lookup.h"
#include "overlap.h"
#include "refuse.h"
#include "signature_check.h"
#include "tensor_memory.h"

namespace executorch {
namespace runtime {
namespace {

using executorch_flatbuffer::InstructionArguments;
using pilotlight::executorch_runtime::CompareCall;
using pilotlight::executorch_runtime::Comparison;
using pilotlight::executorch_runtime::CountOf;
using pilotlight::executorch_runtime::FindOverlap;
using pilotlight::executorch_runtime::FindWritten;
using pilotlight::executorch_runtime::HasMemory;
using pilotlight::executorch_runtime::IsConstant;
using pilotlight::executorch_runtime::IsLender;
using pilotlight::executorch_runtime::Overlap;
using pilotlight::executorch_runtime::TableAt;
using pilotlight::executorch_runtime::WrittenArgs;

// A kernel key can describe this many tensors (internal::kKernelKeyBufSize).
constexpr std::size_t kMaxKeyTensors = 16;

// The dtypes and dim orders that select a specialised kernel.
class TensorMetas {
 public:
  explicit TensorMetas(InstructionArgs args) {
    for (const EValue* arg : args) {
      if (arg->isTensor() && count_ < kMaxKeyTensors) Add(arg->toTensor());
    }
  }
  Span<const TensorMeta> All() const { return {metas_, count_}; }

 private:
  void Add(const etensor::Tensor& tensor) {
    auto* order = const_cast<etensor::TensorImpl::DimOrderType*>(tensor.dim_order().data());
    metas_[count_++] = TensorMeta(tensor.scalar_type(), {order, tensor.dim_order().size()});
  }

  TensorMeta metas_[kMaxKeyTensors];
  std::size_t count_ = 0;
};

void CopyOperatorName(const executorch_flatbuffer::Operator& op, char* out) {
  std::memcpy(out, op.name()->c_str(), op.name()->size());
  out += op.name()->size();
  if (CountOf(op.overload()) != 0) {
    *out++ = '.';
    std::memcpy(out, op.overload()->c_str(), op.overload()->size());
    out += op.overload()->size();
  }
  *out = '\0';
}

// Whether the method moves a tensor, which gives one tensor the memory of another.
bool MovesTensors(const executorch_flatbuffer::ExecutionPlan& plan) {
  for (const auto* chain : *plan.chains()) {
    for (const auto* instruction : *chain->instructions()) {
      const auto* move = instruction->instr_args_as_MoveCall();
      if (move == nullptr) continue;
      const auto from = static_cast<std::size_t>(move->move_from());
      if (TableAt(plan.values(), from)->val_as_Tensor() != nullptr) return true;
    }
  }
  return false;
}

}  // namespace

InstructionDecoder::InstructionDecoder(const executorch_flatbuffer::ExecutionPlan& plan,
                                       EValue* values, const BackendDelegate* delegates,
                                       Span<const Kernel> kernels, MemoryAllocator* pool)
    : plan_(plan),
      values_(values),
      delegates_(delegates),
      kernels_(kernels.empty() ? get_registered_kernels() : kernels),
      pool_(pool),
      any_memory_varies_(MovesTensors(plan)) {}

Error InstructionDecoder::Decode(const executorch_flatbuffer::Chain& chain, Chain* out) {
  const std::size_t count = chain.instructions()->size();
  auto* instructions = pool_->allocateList<Instruction>(count);
  if (instructions == nullptr) return Error::MemoryAllocationFailed;
  Error result = Error::Ok;
  for (std::size_t i = 0; i < count; ++i) {
    const Error error = DecodeOne(*TableAt(chain.instructions(), i), &instructions[i]);
    if (error == Error::OperatorMissing) {
      result = error;  // Continue, so that the log names all of them.
      missing_ = true;
    } else if (error != Error::Ok) {
      return error;
    }
  }
  *out = {instructions, count};
  return result;
}

Error InstructionDecoder::DecodeOne(const executorch_flatbuffer::Instruction& instruction,
                                    Instruction* out) {
  out->arg_count = 0;
  out->first_written = 0;
  out->written_count = 0;
  out->returned = false;
  out->memory_varies = any_memory_varies_;
  switch (instruction.instr_args_type()) {
    case InstructionArguments::KernelCall: {
      const auto* call = instruction.instr_args_as_KernelCall();
      out->kind = Instruction::Kind::kKernel;
      const auto op_index = static_cast<std::uint32_t>(call->op_index());
      const char* signature = nullptr;
      ET_CHECK_OK_OR_RETURN_ERROR(DecodeArgs(*call->args(), out));
      ET_CHECK_OK_OR_RETURN_ERROR(FindKernel(op_index, out, &signature));
      return VerifyKindsOf(out, op_index, signature);
    }
    case InstructionArguments::DelegateCall: {
      const auto* call = instruction.instr_args_as_DelegateCall();
      out->kind = Instruction::Kind::kDelegate;
      out->delegate = delegates_ + call->delegate_index();
      return DecodeArgs(*call->args(), out);
    }
    case InstructionArguments::MoveCall: {
      const auto* move = instruction.instr_args_as_MoveCall();
      out->kind = Instruction::Kind::kMove;
      out->move_to = values_ + move->move_to();
      out->value = values_ + move->move_from();
      return VerifyKindsOf(out, 0, nullptr);
    }
    case InstructionArguments::JumpFalseCall: {
      const auto* jump = instruction.instr_args_as_JumpFalseCall();
      out->kind = Instruction::Kind::kJumpFalse;
      out->jump_to = static_cast<std::size_t>(jump->destination_instruction());
      out->value = values_ + jump->cond_value_index();
      return VerifyKindsOf(out, 0, nullptr);
    }
    case InstructionArguments::FreeCall:
      out->kind = Instruction::Kind::kFree;
      out->jump_to = 0;
      out->value = values_ + instruction.instr_args_as_FreeCall()->value_index();
      return Error::Ok;
    default:
      return Error::InvalidProgram;
  }
}

Error InstructionDecoder::DecodeArgs(const flatbuffers::Vector<std::int32_t>& indices,
                                     Instruction* out) {
  out->args = pool_->allocateList<EValue*>(indices.size());
  if (out->args == nullptr) return Error::MemoryAllocationFailed;
  for (flatbuffers::uoffset_t i = 0; i < indices.size(); ++i) {
    const auto index = static_cast<std::size_t>(indices.Get(i));
    out->args[i] = values_ + index;
    if (MemoryVaries(index)) out->memory_varies = true;
  }
  out->arg_count = static_cast<std::uint16_t>(indices.size());
  return Error::Ok;
}

Error InstructionDecoder::FindKernel(std::uint32_t op_index, Instruction* out,
                                     const char** signature) {
  Known& known = known_[op_index % kKnown];
  if (known.kernel != nullptr && known.op_index == op_index) {
    out->kernel = known.kernel;
    if (known.lends_memory) out->kind = Instruction::Kind::kLender;
    *signature = known.signature;
    return Error::Ok;
  }
  char name[kMaxOperatorName];
  CopyOperatorName(*TableAt(plan_.operators(), op_index), name);
  const auto kernels = pilotlight::executorch_runtime::FindOperator(name, kernels_);
  if (kernels.fallback != nullptr) {
    *signature = pilotlight::executorch_runtime::SignatureOf(*kernels.fallback);
    if (!kernels.specialised) {
      out->kernel = kernels.fallback->op_;
      known = {op_index, IsLender(*TableAt(plan_.operators(), op_index)), out->kernel, *signature};
      if (known.lends_memory) out->kind = Instruction::Kind::kLender;
      return Error::Ok;
    }
  }
  const TensorMetas metas({out->args, out->arg_count});
  const Result<OpFunction> kernel = get_op_function_from_registry(name, metas.All(), kernels_);
  if (kernel.ok()) out->kernel = *kernel;
  return kernel.error();
}

Error InstructionDecoder::VerifyKinds(Span<const Chain> chains) {
  if (!settled_) return Error::Ok;
  settles_ = false;
  for (std::size_t i = 0; i < chains.size(); ++i) {
    const auto& instructions = *TableAt(plan_.chains(), i)->instructions();
    for (std::size_t k = 0; k < chains[i].count; ++k) {
      // The instruction is copied, because the calls below write to it. The instruction that runs
      // is already complete.
      Instruction instruction = chains[i].instructions[k];
      std::uint32_t op_index = 0;
      const char* signature = nullptr;
      if (instruction.kind == Instruction::Kind::kKernel ||
          instruction.kind == Instruction::Kind::kLender) {
        const auto* call = TableAt(&instructions, k)->instr_args_as_KernelCall();
        op_index = static_cast<std::uint32_t>(call->op_index());
        ET_CHECK_OK_OR_RETURN_ERROR(FindKernel(op_index, &instruction, &signature));
      }
      ET_CHECK_OK_OR_RETURN_ERROR(VerifyKindsOf(&instruction, op_index, signature));
    }
  }
  for (std::size_t i = 0; i < plan_.values()->size(); ++i) {
    if (values_[i].isIntList() && !values_[i].tryToIntList().ok()) {
      return PILOTLIGHT_REFUSE(Error::InvalidType,
                               "Method %s, value %zu: an item gets a result of another kind",
                               plan_.name()->c_str(), i);
    }
  }
  return Error::Ok;
}

Error InstructionDecoder::VerifyKindsOf(Instruction* instruction, std::uint32_t op_index,
                                        const char* signature) {
  if (missing_) return Error::Ok;
  switch (instruction->kind) {
    case Instruction::Kind::kKernel:
    case Instruction::Kind::kLender:
      return signature == nullptr ? Error::Ok : VerifyCall(instruction, op_index, signature);
    case Instruction::Kind::kMove: {
      const auto kind = pilotlight::executorch_runtime::KindOf(*instruction->value);
      if (instruction->move_to->tag == instruction->value->tag) return Error::Ok;
      if (settles_ && pilotlight::executorch_runtime::SettleScalar(*instruction->move_to, kind)) {
        settled_ = true;
        return Error::Ok;
      }
      return PILOTLIGHT_REFUSE(Error::InvalidProgram,
                               "Method %s: moves a result to a value of another kind",
                               plan_.name()->c_str());
    }
    case Instruction::Kind::kJumpFalse:
      if (instruction->value->isBool() || instruction->value->isTensor()) return Error::Ok;
      return PILOTLIGHT_REFUSE(Error::InvalidProgram, "Method %s: jump condition is not a bool",
                               plan_.name()->c_str());
    default:
      return Error::Ok;
  }
}

Error InstructionDecoder::VerifyCall(Instruction* call, std::uint32_t op_index,
                                     const char* signature) {
  const Comparison compared =
      CompareCall(signature, {call->args, call->arg_count}, settles_ ? &settled_ : nullptr);
  if (compared.outcome == Comparison::Outcome::kFits) {
    return VerifyWrites(call, op_index, signature);
  }
#if PILOTLIGHT_EXECUTORCH_LOG_ERRORS
  char name[kMaxOperatorName];
  CopyOperatorName(*TableAt(plan_.operators(), op_index), name);
  if (compared.outcome == Comparison::Outcome::kOtherKind) {
    char wanted[40];
    char found[kTagNameBufferSize];
    pilotlight::executorch_runtime::DescribeKinds(compared.wanted, wanted, sizeof(wanted));
    tag_to_string(call->args[compared.argument]->tag, found, sizeof(found));
    (void)PILOTLIGHT_REFUSE(Error::InvalidType, "Method %s: argument %zu of %s is %s, not %s",
                            plan_.name()->c_str(), compared.argument, name, found, wanted);
  } else if (compared.outcome == Comparison::Outcome::kNotTheFirst) {
    (void)PILOTLIGHT_REFUSE(Error::InvalidProgram,
                            "Method %s: argument %zu of %s must be argument 0 itself (in-place "
                            "operator)",
                            plan_.name()->c_str(), compared.argument, name);
  } else {
    (void)PILOTLIGHT_REFUSE(Error::InvalidProgram, "Method %s: %u arguments for %s, which has %zu",
                            plan_.name()->c_str(), static_cast<unsigned>(call->arg_count), name,
                            compared.argument);
  }
#else
  (void)op_index;
#endif
  return compared.outcome == Comparison::Outcome::kOtherKind ? Error::InvalidType
                                                             : Error::InvalidProgram;
}

template <typename Test>
bool InstructionDecoder::AnyTensor(std::size_t index, const Test& test) const {
  const auto* value = TableAt(plan_.values(), index);
  if (const auto* tensor = value->val_as_Tensor()) return test(*tensor);
  const flatbuffers::Vector<std::int32_t>* items = nullptr;
  if (const auto* list = value->val_as_TensorList()) items = list->items();
  if (const auto* list = value->val_as_OptionalTensorList()) items = list->items();
  if (items == nullptr) return false;
  for (const std::int32_t item : *items) {
    if (item < 0) continue;  // None.
    const auto* tensor = TableAt(plan_.values(), static_cast<std::size_t>(item))->val_as_Tensor();
    if (tensor != nullptr && test(*tensor)) return true;
  }
  return false;
}

bool InstructionDecoder::HoldsConstant(std::size_t index) const {
  return AnyTensor(index, [](const auto& tensor) { return IsConstant(tensor); });
}

bool InstructionDecoder::MemoryVaries(std::size_t index) const {
  return AnyTensor(index, [](const auto& tensor) { return !HasMemory(tensor); });
}

Error InstructionDecoder::VerifyWrites(Instruction* call, std::uint32_t op_index,
                                       const char* signature) const {
  WrittenArgs written;
  if (!FindWritten(signature, &written)) return Error::NotSupported;
  for (std::size_t i = 0; i < written.count; ++i) {
    const std::size_t argument = written.first + i;
    if (HoldsConstant(static_cast<std::size_t>(call->args[argument] - values_))) {
      return RefuseWrite(op_index, argument, "is a constant, but would be written");
    }
  }
  call->first_written = written.first & WrittenArgs::kLargestFirst;
  call->written_count = written.count & WrittenArgs::kLargestCount;
  call->returned = written.returned;
  if (call->memory_varies) return Error::Ok;  // The run loop checks it.
  const Overlap overlap = FindOverlap({call->args, call->arg_count}, written);
  if (!overlap.found) return Error::Ok;
  return RefuseWrite(op_index, overlap.written,
                     "would be written and shares memory with another argument");
}

Error InstructionDecoder::RefuseWrite(std::uint32_t op_index, std::size_t argument,
                                      const char* why) const {
#if PILOTLIGHT_EXECUTORCH_LOG_ERRORS
  char name[kMaxOperatorName];
  CopyOperatorName(*TableAt(plan_.operators(), op_index), name);
  return PILOTLIGHT_REFUSE(Error::InvalidProgram, "Method %s: argument %zu of %s %s",
                           plan_.name()->c_str(), argument, name, why);
#else
  (void)op_index, (void)argument, (void)why;
  return Error::InvalidProgram;
#endif
}

}  // namespace runtime
}  // namespace executorch
