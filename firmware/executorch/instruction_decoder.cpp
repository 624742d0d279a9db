// SPDX-License-Identifier: Apache-2.0
#include "instruction_decoder.h"

#include <cstring>

#include "refuse.h"

namespace executorch {
namespace runtime {
namespace {

using executorch_flatbuffer::InstructionArguments;
using pilotlight::executorch_runtime::CountOf;
using pilotlight::executorch_runtime::InRange;
using pilotlight::executorch_runtime::TableAt;

// "name.overload" with its terminator; the longest that upstream defines has 60.
constexpr std::size_t kMaxOperatorName = 128;

// As many tensors as a kernel key can describe (internal::kKernelKeyBufSize).
constexpr std::size_t kMaxKeyTensors = 16;

// The dtypes and dim orders by which a specialised kernel is chosen.
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

Error CopyOperatorName(const executorch_flatbuffer::Operator& op, char (&out)[kMaxOperatorName]) {
  if (op.name() == nullptr) return Error::InvalidProgram;
  const std::size_t name_length = op.name()->size();
  const std::size_t overload_length = op.overload() == nullptr ? 0 : op.overload()->size();
  if (name_length >= kMaxOperatorName || overload_length >= kMaxOperatorName - 1 - name_length) {
    return PILOTLIGHT_REFUSE(Error::Internal, "Operator name %s is too long", op.name()->c_str());
  }
  char* end = out + name_length;
  std::memcpy(out, op.name()->c_str(), name_length);
  if (overload_length != 0) {
    *end++ = '.';
    std::memcpy(end, op.overload()->c_str(), overload_length);
    end += overload_length;
  }
  *end = '\0';
  return Error::Ok;
}

}  // namespace

Error InstructionDecoder::Decode(const executorch_flatbuffer::Chain& chain, Chain* out) {
  if (chain.instructions() == nullptr) {
    return PILOTLIGHT_REFUSE(Error::InvalidProgram, "A chain without instructions");
  }
  const std::size_t count = chain.instructions()->size();
  auto* instructions = pool_->allocateList<Instruction>(count);
  if (instructions == nullptr) return Error::MemoryAllocationFailed;
  Error result = Error::Ok;
  for (std::size_t i = 0; i < count; ++i) {
    const Error error = DecodeOne(*TableAt(chain.instructions(), i), count, &instructions[i]);
    if (error == Error::OperatorMissing) {
      result = error;  // Go on: the log is to name them all.
    } else if (error != Error::Ok) {
      return PILOTLIGHT_REFUSE(error, "Instruction %zu is invalid", i);
    }
  }
  *out = {instructions, count};
  return result;
}

Error InstructionDecoder::DecodeOne(const executorch_flatbuffer::Instruction& instruction,
                                    std::size_t chain_length, Instruction* out) {
  if (instruction.instr_args() == nullptr) return Error::InvalidProgram;
  out->arg_count = 0;
  switch (instruction.instr_args_type()) {
    case InstructionArguments::KernelCall:
      return DecodeKernel(*instruction.instr_args_as_KernelCall(), out);
    case InstructionArguments::DelegateCall:
      return DecodeDelegate(*instruction.instr_args_as_DelegateCall(), out);
    case InstructionArguments::MoveCall: {
      const auto* move = instruction.instr_args_as_MoveCall();
      out->kind = Instruction::Kind::kMove;
      out->move_to = ValueAt(move->move_to());
      out->value = ValueAt(move->move_from());
      return out->move_to == nullptr || out->value == nullptr ? Error::InvalidProgram : Error::Ok;
    }
    case InstructionArguments::JumpFalseCall: {
      const auto* jump = instruction.instr_args_as_JumpFalseCall();
      out->kind = Instruction::Kind::kJumpFalse;
      out->value = ValueAt(jump->cond_value_index());
      if (out->value == nullptr || !InRange(jump->destination_instruction(), chain_length + 1)) {
        return Error::InvalidProgram;
      }
      out->jump_to = static_cast<std::size_t>(jump->destination_instruction());
      return Error::Ok;
    }
    case InstructionArguments::FreeCall:
      out->kind = Instruction::Kind::kFree;
      out->jump_to = 0;
      out->value = ValueAt(instruction.instr_args_as_FreeCall()->value_index());
      return out->value == nullptr ? Error::InvalidProgram : Error::Ok;
    default:
      return PILOTLIGHT_REFUSE(Error::InvalidProgram, "Unknown instruction %d",
                               static_cast<int>(instruction.instr_args_type()));
  }
}

Error InstructionDecoder::DecodeArgs(const flatbuffers::Vector<std::int32_t>* indices,
                                     Instruction* out) {
  const std::size_t count = CountOf(indices);
  if (indices == nullptr || count > UINT16_MAX) return Error::InvalidProgram;
  out->args = pool_->allocateList<EValue*>(count);
  if (out->args == nullptr) return Error::MemoryAllocationFailed;
  for (std::size_t i = 0; i < count; ++i) {
    out->args[i] = ValueAt(indices->Get(static_cast<flatbuffers::uoffset_t>(i)));
    if (out->args[i] == nullptr) return Error::InvalidProgram;
  }
  out->arg_count = static_cast<std::uint16_t>(count);
  return Error::Ok;
}

Error InstructionDecoder::DecodeKernel(const executorch_flatbuffer::KernelCall& call,
                                       Instruction* out) {
  out->kind = Instruction::Kind::kKernel;
  ET_CHECK_OK_OR_RETURN_ERROR(DecodeArgs(call.args(), out));
  if (!InRange(call.op_index(), CountOf(plan_.operators()))) {
    return PILOTLIGHT_REFUSE(Error::InvalidProgram, "Operator %d of %zu",
                             static_cast<int>(call.op_index()), CountOf(plan_.operators()));
  }
  char name[kMaxOperatorName];
  ET_CHECK_OK_OR_RETURN_ERROR(CopyOperatorName(
      *TableAt(plan_.operators(), static_cast<std::size_t>(call.op_index())), name));
  const TensorMetas metas({out->args, out->arg_count});
  const Result<OpFunction> kernel = get_op_function_from_registry(
      name, metas.All(), kernels_.empty() ? get_registered_kernels() : kernels_);
  if (!kernel.ok()) return kernel.error();
  out->kernel = *kernel;
  return Error::Ok;
}

Error InstructionDecoder::DecodeDelegate(const executorch_flatbuffer::DelegateCall& call,
                                         Instruction* out) {
  out->kind = Instruction::Kind::kDelegate;
  ET_CHECK_OK_OR_RETURN_ERROR(DecodeArgs(call.args(), out));
  if (!InRange(call.delegate_index(), CountOf(plan_.delegates()))) {
    return PILOTLIGHT_REFUSE(Error::InvalidProgram, "Delegate %d of %zu",
                             static_cast<int>(call.delegate_index()), CountOf(plan_.delegates()));
  }
  out->delegate = delegates_ + call.delegate_index();
  return Error::Ok;
}

EValue* InstructionDecoder::ValueAt(std::int32_t index) const {
  return InRange(index, CountOf(plan_.values())) ? values_ + index : nullptr;
}

}  // namespace runtime
}  // namespace executorch
