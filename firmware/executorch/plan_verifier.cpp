// SPDX-License-Identifier: Apache-2.0
#include "plan_verifier.h"

#include "instruction_decoder.h"
#include "tensor_memory.h"
#include "tensor_verifier.h"

namespace pilotlight::executorch_runtime {
namespace {

using executorch::runtime::Error;
using executorch::runtime::InstructionDecoder;
using executorch_flatbuffer::InstructionArguments;
using executorch_flatbuffer::KernelTypes;

// The exporter's index for None in a list of optional tensors.
constexpr std::int64_t kNoneItem = -1;

}  // namespace

Error PlanVerifier::Verify() {
  if (plan_.name() == nullptr || plan_.values() == nullptr || plan_.operators() == nullptr ||
      plan_.non_const_buffer_sizes() == nullptr || CountOf(plan_.chains()) == 0) {
    return PILOTLIGHT_REFUSE_AT(place_, Error::InvalidProgram, "lacks one of its tables");
  }
  place_.method = plan_.name()->c_str();
  place_.what = "inputs and outputs";
  ET_CHECK_OK_OR_RETURN_ERROR(VerifyIndices(plan_.inputs()));
  ET_CHECK_OK_OR_RETURN_ERROR(VerifyIndices(plan_.outputs()));
  ET_CHECK_OK_OR_RETURN_ERROR(VerifyBuffers());
  place_ = {place_.method, "value", 0};
  for (; place_.index < plan_.values()->size(); ++place_.index) {
    ET_CHECK_OK_OR_RETURN_ERROR(VerifyValue(*TableAt(plan_.values(), place_.index)));
  }
  place_ = {place_.method, "operator", 0};
  for (; place_.index < plan_.operators()->size(); ++place_.index) {
    ET_CHECK_OK_OR_RETURN_ERROR(VerifyOperator(*TableAt(plan_.operators(), place_.index)));
  }
  place_ = {place_.method, "delegate", 0};
  for (; place_.index < CountOf(plan_.delegates()); ++place_.index) {
    ET_CHECK_OK_OR_RETURN_ERROR(VerifyDelegate(*TableAt(plan_.delegates(), place_.index)));
  }
  for (std::size_t i = 0; i < plan_.chains()->size(); ++i) {
    const auto* chain = TableAt(plan_.chains(), i);
    place_ = {place_.method, "chain", i};
    if (chain->instructions() == nullptr) {
      return PILOTLIGHT_REFUSE_AT(place_, Error::InvalidProgram, "no instructions");
    }
    place_ = {place_.method, "instruction", 0};
    for (; place_.index < chain->instructions()->size(); ++place_.index) {
      ET_CHECK_OK_OR_RETURN_ERROR(VerifyInstruction(*TableAt(chain->instructions(), place_.index),
                                                    chain->instructions()->size()));
    }
  }
  return Error::Ok;
}

Error PlanVerifier::VerifyBuffers() {
  place_ = {place_.method, "planned buffer", 0};
  const auto& sizes = *plan_.non_const_buffer_sizes();
  if (!IsAligned(sizes) || !bounds_.Take(sizes)) {
    return PILOTLIGHT_REFUSE_AT(place_, Error::InvalidProgram,
                                "list is missing, misaligned or shared");
  }
  for (; place_.index < sizes.size(); ++place_.index) {
    const std::int64_t size = sizes.Get(static_cast<flatbuffers::uoffset_t>(place_.index));
    std::size_t fits = 0;
    if (size < 0 || !FitsSize(static_cast<std::uint64_t>(size), &fits)) {
      return PILOTLIGHT_REFUSE_AT(place_, Error::InvalidProgram,
                                  "size %lld is negative or too large",
                                  static_cast<long long>(size));
    }
  }
  place_ = {place_.method, "device of planned buffer", 0};
  for (; place_.index < CountOf(plan_.non_const_buffer_device()); ++place_.index) {
    const auto* device = TableAt(plan_.non_const_buffer_device(), place_.index);
    const auto type = static_cast<int>(device->device_type());
    if (!InRange(device->buffer_idx(), sizes.size()) ||
        !InRange(type, executorch::runtime::etensor::kNumDeviceTypes)) {
      return PILOTLIGHT_REFUSE_AT(
          place_, Error::InvalidProgram, "buffer %d of %u on device type %d",
          static_cast<int>(device->buffer_idx()), static_cast<unsigned>(sizes.size()), type);
    }
  }
  return Error::Ok;
}

Error PlanVerifier::VerifyValue(const executorch_flatbuffer::EValue& value) {
  const KernelTypes type = value.val_type();
  if (type != KernelTypes::Null && value.val() == nullptr) {
    return PILOTLIGHT_REFUSE_AT(place_, Error::InvalidProgram, "has a type but no content");
  }
  switch (type) {
    case KernelTypes::Null:
    case KernelTypes::Int:
    case KernelTypes::Bool:
    case KernelTypes::Double:
      return Error::Ok;
    case KernelTypes::Tensor:
      return VerifyTensor(*value.val_as_Tensor(), plan_, program_, bounds_, place_);
    case KernelTypes::String:
      if (value.val_as_String()->string_val() != nullptr) return Error::Ok;
      break;
    case KernelTypes::DoubleList: {
      const auto* items = value.val_as_DoubleList()->items();
      if (items != nullptr && IsAligned(*items)) return Error::Ok;
      break;
    }
    case KernelTypes::BoolList: {
      const auto* items = value.val_as_BoolList()->items();
      if (items == nullptr || !bounds_.Take(*items)) break;
      for (const std::uint8_t item : *items) {
        if (item > 1) {
          return PILOTLIGHT_REFUSE_AT(place_, Error::InvalidProgram, "%u is not a boolean",
                                      static_cast<unsigned>(item));
        }
      }
      return Error::Ok;
    }
    case KernelTypes::IntList:
    case KernelTypes::TensorList:
    case KernelTypes::OptionalTensorList:
      return VerifyItems(type, value.val());
    default:
      return PILOTLIGHT_REFUSE_AT(place_, Error::InvalidProgram, "unknown type %d",
                                  static_cast<int>(type));
  }
  return PILOTLIGHT_REFUSE_AT(place_, Error::InvalidProgram,
                              "list is missing, misaligned or shared");
}

// Verifies lists whose items are indices of values. An index has 64 bits in a list of integers, and
// 32 bits in the others.
Error PlanVerifier::VerifyItems(KernelTypes list_type, const void* list) {
  if (list_type == KernelTypes::IntList) {
    const auto* items = static_cast<const executorch_flatbuffer::IntList*>(list)->items();
    if (items == nullptr || !IsAligned(*items) || !bounds_.Take(*items)) {
      return PILOTLIGHT_REFUSE_AT(place_, Error::InvalidProgram,
                                  "list is missing, misaligned or shared");
    }
    for (const std::int64_t item : *items) {
      ET_CHECK_OK_OR_RETURN_ERROR(VerifyItem(list_type, item));
    }
    return Error::Ok;
  }
  const auto* items =
      list_type == KernelTypes::TensorList
          ? static_cast<const executorch_flatbuffer::TensorList*>(list)->items()
          : static_cast<const executorch_flatbuffer::OptionalTensorList*>(list)->items();
  if (items == nullptr || !bounds_.Take(*items)) {
    return PILOTLIGHT_REFUSE_AT(place_, Error::InvalidProgram,
                                "list is missing, misaligned or shared");
  }
  for (const std::int32_t item : *items) {
    if (item == kNoneItem && list_type == KernelTypes::OptionalTensorList) continue;
    ET_CHECK_OK_OR_RETURN_ERROR(VerifyItem(list_type, item));
  }
  return Error::Ok;
}

Error PlanVerifier::VerifyItem(KernelTypes list_type, std::int64_t item) {
  const auto* value = ValueAt(item);
  if (value == nullptr) {
    return PILOTLIGHT_REFUSE_AT(place_, Error::InvalidProgram, "item is value %lld of %u",
                                static_cast<long long>(item),
                                static_cast<unsigned>(plan_.values()->size()));
  }
  const KernelTypes type = value->val_type();
  bool fits = type == KernelTypes::Int;
  if (list_type != KernelTypes::IntList) {
    // A list's tensors must have lower indices than the list, as the exporter writes them.
    const bool none = list_type == KernelTypes::OptionalTensorList && type == KernelTypes::Null;
    fits = static_cast<std::size_t>(item) < place_.index && (type == KernelTypes::Tensor || none);
  }
  if (fits) return Error::Ok;
  return PILOTLIGHT_REFUSE_AT(place_, Error::InvalidType, "item is value %lld, of type %d",
                              static_cast<long long>(item), static_cast<int>(type));
}

Error PlanVerifier::VerifyOperator(const executorch_flatbuffer::Operator& op) {
  if (op.name() == nullptr) {
    return PILOTLIGHT_REFUSE_AT(place_, Error::InvalidProgram, "name is missing");
  }
  const std::size_t overload_length = op.overload() == nullptr ? 0 : op.overload()->size();
  if (op.name()->size() >= InstructionDecoder::kMaxOperatorName ||
      overload_length >= InstructionDecoder::kMaxOperatorName - 1 - op.name()->size()) {
    return PILOTLIGHT_REFUSE_AT(place_, Error::Internal, "name is too long");
  }
  return Error::Ok;
}

Error PlanVerifier::VerifyDelegate(const executorch_flatbuffer::BackendDelegate& delegate) {
  const auto* processed = delegate.processed();
  if (delegate.id() == nullptr || processed == nullptr) {
    return PILOTLIGHT_REFUSE_AT(place_, Error::InvalidProgram, "id or data is missing");
  }
  const bool is_inline = processed->location() == executorch_flatbuffer::DataLocation::INLINE;
  if (!is_inline && processed->location() != executorch_flatbuffer::DataLocation::SEGMENT) {
    return PILOTLIGHT_REFUSE_AT(place_, Error::Internal, "data at unknown location %d",
                                static_cast<int>(processed->location()));
  }
  const std::size_t count =
      is_inline ? CountOf(program_.backend_delegate_data()) : CountOf(program_.segments());
  if (processed->index() >= count) {
    return PILOTLIGHT_REFUSE_AT(place_, Error::NotFound, "data %u of %zu",
                                static_cast<unsigned>(processed->index()), count);
  }
  for (std::size_t i = 0; i < CountOf(delegate.compile_specs()); ++i) {
    const auto* spec = TableAt(delegate.compile_specs(), i);
    if (spec->key() == nullptr || spec->value() == nullptr) {
      return PILOTLIGHT_REFUSE_AT(place_, Error::InvalidProgram,
                                  "compile spec %zu lacks its key or value", i);
    }
  }
  return Error::Ok;
}

Error PlanVerifier::VerifyInstruction(const executorch_flatbuffer::Instruction& instruction,
                                      std::size_t chain_length) {
  if (instruction.instr_args() == nullptr) {
    return PILOTLIGHT_REFUSE_AT(place_, Error::InvalidProgram, "content is missing");
  }
  std::int32_t index = 0;
  std::size_t count = 0;
  const Indices* args = nullptr;
  switch (instruction.instr_args_type()) {
    case InstructionArguments::KernelCall: {
      const auto* call = instruction.instr_args_as_KernelCall();
      index = call->op_index();
      count = CountOf(plan_.operators());
      args = call->args();
      if (InRange(index, count) &&
          IsLender(*TableAt(plan_.operators(), static_cast<std::size_t>(index)))) {
        ET_CHECK_OK_OR_RETURN_ERROR(VerifyLender(args));
      }
      break;
    }
    case InstructionArguments::DelegateCall: {
      const auto* call = instruction.instr_args_as_DelegateCall();
      index = call->delegate_index();
      count = CountOf(plan_.delegates());
      args = call->args();
      break;
    }
    case InstructionArguments::MoveCall:
      return VerifyMove(*instruction.instr_args_as_MoveCall());
    case InstructionArguments::JumpFalseCall:
      return VerifyJump(*instruction.instr_args_as_JumpFalseCall(), chain_length);
    case InstructionArguments::FreeCall: {
      const auto* value = ValueAt(instruction.instr_args_as_FreeCall()->value_index());
      const auto* tensor = value == nullptr ? nullptr : value->val_as_Tensor();
      // A freed tensor keeps no memory, so only lent memory may be freed.
      if (tensor != nullptr && !HasMemory(*tensor)) return Error::Ok;
      return PILOTLIGHT_REFUSE_AT(place_,
                                  value == nullptr    ? Error::InvalidProgram
                                  : tensor == nullptr ? Error::InvalidType
                                                      : Error::InvalidProgram,
                                  "frees a value that is not a tensor with lent memory");
    }
    default:
      return PILOTLIGHT_REFUSE_AT(place_, Error::InvalidProgram, "unknown kind %d",
                                  static_cast<int>(instruction.instr_args_type()));
  }
  if (!InRange(index, count)) {
    return PILOTLIGHT_REFUSE_AT(place_, Error::InvalidProgram,
                                "calls operator or delegate %d of %zu", static_cast<int>(index),
                                count);
  }
  return VerifyIndices(args);
}

// A view must not change whose memory a tensor uses: a constant must not be written through a view,
// and a tensor with its own memory must not get the caller's.
Error PlanVerifier::VerifyLender(const Indices* args) {
  if (args == nullptr || args->size() != 3) return Error::Ok;  // Its kernel refuses the call.
  const auto* lender = ValueAt(args->Get(0));
  const auto* borrower = ValueAt(args->Get(2));
  const auto* from = lender == nullptr ? nullptr : lender->val_as_Tensor();
  const auto* to = borrower == nullptr ? nullptr : borrower->val_as_Tensor();
  if (from == nullptr || to == nullptr) return Error::Ok;
  if ((IsConstant(*from) && !IsConstant(*to)) || (HasMemory(*to) && !HasMemory(*from))) {
    return PILOTLIGHT_REFUSE_AT(place_, Error::InvalidProgram,
                                "value %d is a view of value %d, whose memory is of another kind",
                                static_cast<int>(args->Get(2)), static_cast<int>(args->Get(0)));
  }
  return Error::Ok;
}

// A move must keep the type of its target. A value that fits a kernel at load then fits it later
// too.
Error PlanVerifier::VerifyMove(const executorch_flatbuffer::MoveCall& move) {
  const auto* to = ValueAt(move.move_to());
  const auto* from = ValueAt(move.move_from());
  if (to == nullptr || from == nullptr || to->val_type() != from->val_type()) {
    return PILOTLIGHT_REFUSE_AT(
        place_, Error::InvalidProgram, "moves value %d to %d, which is not of its type",
        static_cast<int>(move.move_from()), static_cast<int>(move.move_to()));
  }
  const auto* constant = from->val_as_Tensor();
  if (constant != nullptr && IsConstant(*constant) && !IsConstant(*to->val_as_Tensor())) {
    return PILOTLIGHT_REFUSE_AT(
        place_, Error::InvalidProgram, "moves value %d, a constant, to %d, which may be written",
        static_cast<int>(move.move_from()), static_cast<int>(move.move_to()));
  }
  return Error::Ok;
}

Error PlanVerifier::VerifyJump(const executorch_flatbuffer::JumpFalseCall& jump,
                               std::size_t chain_length) {
  if (!InRange(jump.destination_instruction(), chain_length + 1)) {
    return PILOTLIGHT_REFUSE_AT(place_, Error::InvalidProgram, "jumps to %d of %zu",
                                static_cast<int>(jump.destination_instruction()), chain_length);
  }
  const auto* value = ValueAt(jump.cond_value_index());
  if (value != nullptr) {
    const auto* tensor = value->val_as_Tensor();
    // A comparison may overwrite an integer with a boolean. InstructionDecoder checks that a
    // comparison does so.
    if (value->val_type() == KernelTypes::Bool || value->val_type() == KernelTypes::Int ||
        (tensor != nullptr && tensor->scalar_type() == executorch_flatbuffer::ScalarType::BOOL)) {
      return Error::Ok;
    }
  }
  return PILOTLIGHT_REFUSE_AT(place_, Error::InvalidProgram,
                              "jumps on value %d, which is not a bool",
                              static_cast<int>(jump.cond_value_index()));
}

Error PlanVerifier::VerifyIndices(const Indices* indices) {
  if (indices == nullptr || !bounds_.Take(*indices)) {
    return PILOTLIGHT_REFUSE_AT(place_, Error::InvalidProgram,
                                "list is missing, misaligned or shared");
  }
  if (indices->size() > UINT16_MAX) {
    return PILOTLIGHT_REFUSE_AT(place_, Error::InvalidProgram, "%u values, at most %u",
                                static_cast<unsigned>(indices->size()), UINT16_MAX);
  }
  for (const std::int32_t index : *indices) {
    if (ValueAt(index) == nullptr) {
      return PILOTLIGHT_REFUSE_AT(place_, Error::InvalidProgram, "value %d of %u",
                                  static_cast<int>(index),
                                  static_cast<unsigned>(plan_.values()->size()));
    }
  }
  return Error::Ok;
}

}  // namespace pilotlight::executorch_runtime
