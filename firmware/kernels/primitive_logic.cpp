// SPDX-License-Identifier: Apache-2.0
//
// Comparisons of two numbers or two booleans, negation, and a choice between two values.
#include "primitive_arguments.h"

namespace pilotlight::kernels {
namespace {

template <typename Holds>
void Compare(KernelRuntimeContext& context, Stack stack, Holds holds) {
  if (!HasArguments(context, stack, 3)) return;
  const EValue &a = *stack[0], &b = *stack[1];
  if (a.isInt() && b.isInt()) {
    *stack[2] = EValue(static_cast<bool>(holds(a.toInt(), b.toInt())));
  } else if (a.isBool() && b.isBool()) {
    *stack[2] = EValue(static_cast<bool>(holds(a.toBool() ? 1 : 0, b.toBool() ? 1 : 0)));
  } else if (IsNumber(a) && IsNumber(b)) {
    *stack[2] = EValue(static_cast<bool>(holds(AsDouble(a), AsDouble(b))));
  } else {
    context.fail(Error::InvalidType);
  }
}

}  // namespace

void Equal(KernelRuntimeContext& context, Stack stack) {
  Compare(context, stack, [](auto a, auto b) { return !(a < b) && !(b < a) && a <= b; });
}

void Greater(KernelRuntimeContext& context, Stack stack) {
  Compare(context, stack, [](auto a, auto b) { return a > b; });
}

void Less(KernelRuntimeContext& context, Stack stack) {
  Compare(context, stack, [](auto a, auto b) { return a < b; });
}

void GreaterEqual(KernelRuntimeContext& context, Stack stack) {
  Compare(context, stack, [](auto a, auto b) { return a >= b; });
}

void LessEqual(KernelRuntimeContext& context, Stack stack) {
  Compare(context, stack, [](auto a, auto b) { return a <= b; });
}

void Not(KernelRuntimeContext& context, Stack stack) {
  if (!HasArguments(context, stack, 2)) return;
  if (!stack[0]->isBool()) {
    context.fail(Error::InvalidType);
  } else {
    *stack[1] = EValue(!stack[0]->toBool());
  }
}

void IfThenElse(KernelRuntimeContext& context, Stack stack) {
  if (!HasArguments(context, stack, 4)) return;
  if (stack[0]->isBool()) {
    const EValue& chosen = stack[0]->toBool() ? *stack[1] : *stack[2];
    if (IsNumber(chosen) || chosen.isBool()) {
      *stack[3] = EValue(chosen);
      return;
    }
  }
  context.fail(Error::InvalidType);
}

}  // namespace pilotlight::kernels
