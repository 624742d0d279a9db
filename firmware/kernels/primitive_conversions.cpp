// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "primitive_arguments.h"

namespace pilotlight::kernels {
namespace {

void RoundWith(KernelRuntimeContext& context, Stack stack, double (*round)(double)) {
  if (!HasArguments(context, stack, 2)) return;
  if (!stack[0]->isDouble()) {
    context.fail(Error::InvalidType);
  } else {
    *stack[1] = EValue(AsInteger(round(stack[0]->toDouble())));
  }
}

}  // namespace

void Negate(KernelRuntimeContext& context, Stack stack) {
  if (!HasArguments(context, stack, 2)) return;
  const EValue& value = *stack[0];
  if (value.isInt()) {
    *stack[1] = EValue(static_cast<std::int64_t>(0 - static_cast<std::uint64_t>(value.toInt())));
  } else if (value.isDouble()) {
    *stack[1] = EValue(-value.toDouble());
  } else {
    context.fail(Error::InvalidType);
  }
}

void Ceil(KernelRuntimeContext& context, Stack stack) { RoundWith(context, stack, std::ceil); }

// Rounds half to even, as Python's round() does.
void Round(KernelRuntimeContext& context, Stack stack) {
  RoundWith(context, stack, std::nearbyint);
}

void Truncate(KernelRuntimeContext& context, Stack stack) { RoundWith(context, stack, std::trunc); }

void ToFloat(KernelRuntimeContext& context, Stack stack) {
  if (!HasArguments(context, stack, 2)) return;
  const EValue& value = *stack[0];
  if (value.isBool()) {
    *stack[1] = EValue(value.toBool() ? 1.0 : 0.0);
  } else if (IsNumber(value)) {
    *stack[1] = EValue(AsDouble(value));
  } else {
    context.fail(Error::InvalidType);
  }
}

void ToInt(KernelRuntimeContext& context, Stack stack) {
  if (!HasArguments(context, stack, 2)) return;
  const EValue& value = *stack[0];
  if (value.isBool()) {
    *stack[1] = EValue(std::int64_t{value.toBool()});
  } else if (value.isInt()) {
    *stack[1] = EValue(value.toInt());
  } else if (value.isDouble()) {
    *stack[1] = EValue(AsInteger(value.toDouble()));
  } else {
    context.fail(Error::InvalidType);
  }
}

}  // namespace pilotlight::kernels
