// SPDX-License-Identifier: Apache-2.0
//
// Operators on scalars and shapes. Programs with dynamic shapes or control flow call them, and
// upstream's runtime registers them by itself (primitives.yaml). They take the program's values
// directly. Each operator checks the number and types of its arguments and fails with:
//
// InvalidProgram   wrong number of arguments.
// InvalidType      an argument has a type that the operator does not take.
// InvalidArgument  a value is out of range, for example a zero divisor of integers.
// InvalidState     et_copy_index only: the target cannot grow.
// Internal         et_view only: the view cannot have this shape.
#pragma once

#include <executorch/runtime/core/evalue.h>
#include <executorch/runtime/core/span.h>
#include <executorch/runtime/kernel/kernel_runtime_context.h>

namespace pilotlight::kernels {

using executorch::runtime::EValue;
using executorch::runtime::KernelRuntimeContext;
using Stack = executorch::runtime::Span<EValue*>;

// primitive_arithmetic.cpp: two numbers and the result.
void Add(KernelRuntimeContext& context, Stack stack);
void Sub(KernelRuntimeContext& context, Stack stack);
void Mul(KernelRuntimeContext& context, Stack stack);
void FloorDiv(KernelRuntimeContext& context, Stack stack);
void TrueDiv(KernelRuntimeContext& context, Stack stack);
void IntDiv(KernelRuntimeContext& context, Stack stack);
void Mod(KernelRuntimeContext& context, Stack stack);
void Max(KernelRuntimeContext& context, Stack stack);
void Min(KernelRuntimeContext& context, Stack stack);

// primitive_logic.cpp: comparisons, negation, choice between two values.
void Equal(KernelRuntimeContext& context, Stack stack);
void Greater(KernelRuntimeContext& context, Stack stack);
void Less(KernelRuntimeContext& context, Stack stack);
void GreaterEqual(KernelRuntimeContext& context, Stack stack);
void LessEqual(KernelRuntimeContext& context, Stack stack);
void Not(KernelRuntimeContext& context, Stack stack);
void IfThenElse(KernelRuntimeContext& context, Stack stack);

// primitive_conversions.cpp: one number and the result.
void Negate(KernelRuntimeContext& context, Stack stack);
void Ceil(KernelRuntimeContext& context, Stack stack);
void Round(KernelRuntimeContext& context, Stack stack);
void Truncate(KernelRuntimeContext& context, Stack stack);
void ToFloat(KernelRuntimeContext& context, Stack stack);
void ToInt(KernelRuntimeContext& context, Stack stack);

// primitive_tensors.cpp
void SizeOfDimension(KernelRuntimeContext& context, Stack stack);
void NumberOfElements(KernelRuntimeContext& context, Stack stack);
void FirstElement(KernelRuntimeContext& context, Stack stack);
void CopyToIndex(KernelRuntimeContext& context, Stack stack);
void ViewWithSizes(KernelRuntimeContext& context, Stack stack);

}  // namespace pilotlight::kernels
