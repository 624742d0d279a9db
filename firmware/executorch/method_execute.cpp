// SPDX-License-Identifier: Apache-2.0
//
// Method: the run loop. load_method() has checked the instructions, so the loop checks only values
// that change while the method runs.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include <executorch/runtime/backend/backend_execution_context.h>
#include <executorch/runtime/core/event_tracer_hooks.h>
#include <executorch/runtime/core/exec_aten/util/tensor_util.h>
#include <executorch/runtime/executor/method.h>
#include <executorch/runtime/kernel/kernel_runtime_context.h>

#include "backend_delegate.h"
#include "instruction_decoder.h"
#include "overlap.h"
#include "program_schema.h"
#include "refuse.h"
#include "tensor_bound.h"

// Limits the instructions of one execute(), which ends an endless loop in a program.
#ifndef ET_MAX_INSTRUCTIONS
#define ET_MAX_INSTRUCTIONS 10000000
#endif

namespace executorch {
namespace runtime {
namespace {

using pilotlight::executorch_runtime::FindOverlap;
using pilotlight::executorch_runtime::LargestNumel;
using pilotlight::executorch_runtime::Overlap;
using pilotlight::executorch_runtime::TableAt;
using pilotlight::executorch_runtime::TakeBack;

// A tensor is true if all of its elements are true.
Result<bool> IsTrue(const EValue& condition) {
  if (!condition.isTensor()) return condition.toBool();
  const etensor::Tensor& tensor = condition.toTensor();
  // Read as bytes: the file or the caller may have stored a value that is invalid for a C++ bool.
  const auto* elements = static_cast<const std::uint8_t*>(tensor.const_data_ptr());
  if (elements == nullptr) {
    return PILOTLIGHT_REFUSE(Error::InvalidProgram, "Jump on a tensor that has no memory");
  }
  for (ssize_t i = 0; i < tensor.numel(); ++i) {
    if (elements[i] == 0) return false;
  }
  return true;
}

bool LacksMemory(const etensor::Tensor& tensor) {
  return tensor.const_data_ptr() == nullptr && tensor.nbytes() != 0;
}

bool LacksMemory(const EValue& value) {
  if (value.isTensor()) return LacksMemory(value.toTensor());
  if (value.isTensorList()) {
    for (const etensor::Tensor& tensor : value.toTensorList()) {
      if (LacksMemory(tensor)) return true;
    }
  } else if (value.isListOptionalTensor()) {
    for (const auto& tensor : value.toListOptionalTensor()) {
      if (tensor.has_value() && LacksMemory(*tensor)) return true;
    }
  }
  return false;
}

// Checks that the caller or another instruction has lent each argument its memory.
Error CheckMemory(InstructionArgs args) {
  for (size_t i = 0; i < args.size(); ++i) {
    if (LacksMemory(*args[i])) {
      return PILOTLIGHT_REFUSE(Error::InvalidState, "Argument %zu has no memory", i);
    }
  }
  return Error::Ok;
}

// Refuses a written argument that shares its memory with another. Arguments with fixed memory were
// compared when the method was loaded.
Error CheckOverlap(const Instruction& instruction, InstructionArgs args) {
  const Overlap overlap = FindOverlap(
      args, {instruction.first_written, instruction.written_count, instruction.returned});
  if (!overlap.found) return Error::Ok;
  return PILOTLIGHT_REFUSE(Error::InvalidState,
                           "Argument %zu would be written and shares memory "
                           "with argument %zu",
                           overlap.written, overlap.other);
}

// Whether a lender lends memory to its result. If not, the lender's kernel refuses the arguments.
bool LendsMemory(const Instruction& instruction) {
  return instruction.arg_count == 3 && instruction.args[0]->isTensor() &&
         instruction.args[2]->isTensor();
}

Error RunKernel(const Instruction& instruction, EventTracer* event_tracer,
                MemoryAllocator* temp_allocator) {
  internal::EventTracerProfileOpScope scope(event_tracer, "OPERATOR_CALL");
  KernelRuntimeContext context(event_tracer, temp_allocator);
  const InstructionArgs args(instruction.args, instruction.arg_count);
  const bool lends = instruction.kind == Instruction::Kind::kLender;
  if (instruction.memory_varies && !lends) {
    ET_CHECK_OK_OR_RETURN_ERROR(CheckMemory(args));
    ET_CHECK_OK_OR_RETURN_ERROR(CheckOverlap(instruction, args));
  }
  instruction.kernel(context, args);  // Generated wrappers log the arguments.
  return context.failure_state();
}

// Called before a run. A view must not use memory that the caller lent for the previous run.
void TakeBackLentMemory(const Chain* chains, size_t count) {
  for (const Chain* chain = chains; chain != chains + count; ++chain) {
    for (size_t i = 0; i < chain->count; ++i) {
      const Instruction& instruction = chain->instructions[i];
      if (instruction.kind == Instruction::Kind::kLender && instruction.memory_varies &&
          LendsMemory(instruction)) {
        TakeBack(instruction.args[2]->toTensor());
      }
    }
  }
}

// After the call, the borrower may grow to the lender's limit, within its shape in the file.
Error RunLender(const Instruction& instruction, EventTracer* event_tracer,
                MemoryAllocator* temp_allocator, const EValue* values,
                const executorch_flatbuffer::ExecutionPlan& plan) {
  using internal::TensorResizerFriend;
  if (!LendsMemory(instruction)) return RunKernel(instruction, event_tracer, temp_allocator);
  const etensor::Tensor& lender = instruction.args[0]->toTensor();
  const etensor::Tensor& borrower = instruction.args[2]->toTensor();
  if (LacksMemory(lender)) {
    return PILOTLIGHT_REFUSE(Error::InvalidState, "Argument 0 has no memory");
  }
  const auto index = static_cast<size_t>(instruction.args[2] - values);
  const size_t largest = LargestNumel(*TableAt(plan.values(), index)->val_as_Tensor());
  const size_t lent = TensorResizerFriend::BoundOf(lender);
  const size_t before = TensorResizerFriend::BoundOf(borrower);
  TensorResizerFriend::SetBound(borrower, largest);
  const Error error = RunKernel(instruction, event_tracer, temp_allocator);
  TensorResizerFriend::SetBound(borrower, error == Error::Ok ? std::min(largest, lent) : before);
  return error;
}

Error RunDelegate(const Instruction& instruction, EventTracer* event_tracer,
                  MemoryAllocator* temp_allocator, const char* method_name) {
  internal::EventTracerProfileOpScope scope(event_tracer, "DELEGATE_CALL");
  BackendExecutionContext context(event_tracer, temp_allocator, method_name);
  const InstructionArgs args(instruction.args, instruction.arg_count);
  if (instruction.memory_varies) ET_CHECK_OK_OR_RETURN_ERROR(CheckMemory(args));
  const Error error = instruction.delegate->Execute(context, args);
#ifdef ET_EVENT_TRACER_ENABLED
  if (error == Error::Ok) {
    for (EValue* arg : args) internal::event_tracer_log_evalue(event_tracer, *arg);
  }
#endif
  return error;
}

}  // namespace

Error Method::execute_instruction() {
  const Chain& chain = chains_[step_state_.chain_idx];
  const Instruction& instruction = chain.instructions[step_state_.instr_idx];
  const internal::EventTracerProfileInstructionScope scope(
      event_tracer_, static_cast<ChainID>(step_state_.chain_idx),
      static_cast<DebugHandle>(step_state_.instr_idx));
  const pilotlight::executorch_runtime::RunningInstruction running(step_state_.chain_idx,
                                                                   step_state_.instr_idx);
  const std::uint32_t lines = pilotlight::executorch_runtime::ErrorLines();
  size_t next = step_state_.instr_idx + 1;
  Error error = Error::Ok;
  const Instruction::Kind kind = instruction.kind;
  switch (kind) {
    case Instruction::Kind::kKernel:
      error = RunKernel(instruction, event_tracer_, temp_allocator_);
      break;
    case Instruction::Kind::kLender:
      error = RunLender(instruction, event_tracer_, temp_allocator_, values_, *serialization_plan_);
      break;
    case Instruction::Kind::kDelegate:
      error = RunDelegate(instruction, event_tracer_, temp_allocator_,
                          serialization_plan_->name()->c_str());
      break;
    case Instruction::Kind::kMove: {
      const internal::EventTracerProfileOpScope call(event_tracer_, "MOVE_CALL");
      *instruction.move_to = *instruction.value;
      break;
    }
    case Instruction::Kind::kJumpFalse: {
      const internal::EventTracerProfileOpScope call(event_tracer_, "JF_CALL");
      const Result<bool> condition = IsTrue(*instruction.value);
      error = condition.error();
      if (condition.ok() && !*condition) next = instruction.jump_to;
      break;
    }
    case Instruction::Kind::kFree: {
      const internal::EventTracerProfileOpScope call(event_tracer_, "FREE_CALL");
      TakeBack(instruction.value->toTensor());
      break;
    }
  }
  // Memory that a kernel or delegate allocated there is valid for its call only.
  if (temp_allocator_ != nullptr) temp_allocator_->reset();
  if (error != Error::Ok) {
    return PILOTLIGHT_REFUSE_UNLESS_SAID(lines, error, "failed: 0x%x",
                                         static_cast<unsigned>(error));
  }
  step_state_.instr_idx = next;
  return Error::Ok;
}

Error Method::execute() {
  internal::event_tracer_create_event_block(event_tracer_, "Execute");
  // If execute() fails, the event has no end, as in the wheel. A profile then shows that the run
  // failed.
  const EventTracerEntry event =
      internal::event_tracer_begin_profiling_event(event_tracer_, "Method::execute");
  EXECUTORCH_SCOPE_PROF("Method::execute");
  if (!initialized()) {
    return PILOTLIGHT_REFUSE(Error::NotSupported, "Method is not initialized");
  }
  if (in_progress()) {
    return PILOTLIGHT_REFUSE(Error::InvalidState, "Method is in the middle of step() calls");
  }
  for (size_t i = 0; i < inputs_size(); ++i) {
    if (!input_set_[i]) {
      return PILOTLIGHT_REFUSE(Error::InvalidArgument, "Input %zu has not been set", i);
    }
  }
  size_t executed = 0;
  step_state_ = {0, 0};  // step() may have left it at the end.
  TakeBackLentMemory(chains_, n_chains_);
  for (; step_state_.chain_idx < n_chains_; ++step_state_.chain_idx) {
    step_state_.instr_idx = 0;
    while (step_state_.instr_idx < chains_[step_state_.chain_idx].count) {
      Error error = Error::Ok;
      if (executed++ < ET_MAX_INSTRUCTIONS) {
        error = execute_instruction();
      } else {
        error =
            PILOTLIGHT_REFUSE(Error::InvalidProgram, "More than %d instructions: an endless loop?",
                              ET_MAX_INSTRUCTIONS);
      }
      if (error != Error::Ok) {
        step_state_ = {0, 0};  // The caller may try again.
        return error;
      }
    }
  }
  internal::event_tracer_end_profiling_event(event_tracer_, event);
  log_outputs();
  step_state_ = {0, 0};
  return Error::Ok;
}

Error Method::step() {
  EXECUTORCH_SCOPE_PROF("Method::step");
  const internal::EventTracerProfileInstructionScope scope(
      event_tracer_, static_cast<ChainID>(step_state_.chain_idx),
      static_cast<DebugHandle>(step_state_.instr_idx));
  const EventTracerEntry event =
      internal::event_tracer_begin_profiling_event(event_tracer_, "Method::step");
  if (!initialized()) {
    return PILOTLIGHT_REFUSE(Error::InvalidState, "Method is not initialized");
  }
  if (step_state_.chain_idx >= n_chains_) return Error::EndOfMethod;
  if (!in_progress()) TakeBackLentMemory(chains_, n_chains_);
  if (chains_[step_state_.chain_idx].count == 0) {
    step_state_ = {step_state_.chain_idx + 1, 0};
    return Error::Ok;
  }
  const Error error = execute_instruction();
  if (error != Error::Ok) return error;
  internal::event_tracer_end_profiling_event(event_tracer_, event);
  if (step_state_.instr_idx >= chains_[step_state_.chain_idx].count) {
    step_state_ = {step_state_.chain_idx + 1, 0};
    log_outputs();
  }
  return Error::Ok;
}

Error Method::experimental_step() { return step(); }

bool Method::in_progress() const {
  return step_state_.chain_idx < n_chains_ &&
         (step_state_.chain_idx != 0 || step_state_.instr_idx != 0);
}

Error Method::reset_execution() {
  if (step_state_.chain_idx != n_chains_) {
    return PILOTLIGHT_REFUSE(Error::InvalidState, "Cannot reset before the end of the method");
  }
  step_state_ = {0, 0};
  return Error::Ok;
}

Error Method::experimental_reset_execution() { return reset_execution(); }

void Method::log_outputs() {
#ifdef ET_EVENT_TRACER_ENABLED
  if (event_tracer_ == nullptr) return;
  for (size_t i = 0; i < outputs_size(); ++i) {
    internal::event_tracer_log_evalue_output(event_tracer_, get_output(i));
  }
#endif
}

}  // namespace runtime
}  // namespace executorch
