// SPDX-License-Identifier: Apache-2.0
//
// Verification of one method of a program; see program_verifier.h. Private to firmware/executorch.
#pragma once

#include <cstddef>
#include <cstdint>

#include "program_schema.h"
#include "program_verifier.h"
#include "refuse.h"

namespace pilotlight::executorch_runtime {

class PlanVerifier final {
 public:
  PlanVerifier(const executorch_flatbuffer::ExecutionPlan& plan,
               const executorch_flatbuffer::Program& program, Bounds& bounds)
      : plan_(plan), program_(program), bounds_(bounds) {}

  executorch::runtime::Error Verify();

 private:
  using Error = executorch::runtime::Error;
  using Indices = flatbuffers::Vector<std::int32_t>;

  Error VerifyBuffers();
  Error VerifyValue(const executorch_flatbuffer::EValue& value);
  Error VerifyItems(executorch_flatbuffer::KernelTypes list_type, const void* list);
  Error VerifyItem(executorch_flatbuffer::KernelTypes list_type, std::int64_t item);
  Error VerifyOperator(const executorch_flatbuffer::Operator& op);
  Error VerifyDelegate(const executorch_flatbuffer::BackendDelegate& delegate);
  Error VerifyInstruction(const executorch_flatbuffer::Instruction& instruction,
                          std::size_t chain_length);
  Error VerifyJump(const executorch_flatbuffer::JumpFalseCall& jump, std::size_t chain_length);
  Error VerifyLender(const Indices* args);
  Error VerifyMove(const executorch_flatbuffer::MoveCall& move);
  Error VerifyIndices(const Indices* indices);

  // Null if there is no such value.
  const executorch_flatbuffer::EValue* ValueAt(std::int64_t index) const {
    return InRange(index, CountOf(plan_.values()))
               ? TableAt(plan_.values(), static_cast<std::size_t>(index))
               : nullptr;
  }

  const executorch_flatbuffer::ExecutionPlan& plan_;
  const executorch_flatbuffer::Program& program_;
  Bounds& bounds_;
  Place place_ = {nullptr, "method", 0};
};

}  // namespace pilotlight::executorch_runtime
