// SPDX-License-Identifier: Apache-2.0
//
// Arithmetic on two numbers: modulo 2^64 if both are integers, else in double precision.
#include <cmath>
#include <cstdint>
#include <limits>

#include "primitive_arguments.h"

namespace pilotlight::kernels {
namespace {

std::uint64_t Unsigned(const EValue& value) { return static_cast<std::uint64_t>(value.toInt()); }

// `integers` takes and returns std::uint64_t, `doubles` takes and returns double.
template <typename Integers, typename Doubles>
void Calculate(KernelRuntimeContext& context, Stack stack, Integers integers, Doubles doubles) {
  if (!HasArguments(context, stack, 3)) return;
  const EValue &a = *stack[0], &b = *stack[1];
  if (!IsNumber(a) || !IsNumber(b)) {
    context.fail(Error::InvalidType);
  } else if (a.isInt() && b.isInt()) {
    *stack[2] = EValue(static_cast<std::int64_t>(integers(Unsigned(a), Unsigned(b))));
  } else {
    *stack[2] = EValue(doubles(AsDouble(a), AsDouble(b)));
  }
}

struct Division {
  std::int64_t quotient;
  std::int64_t remainder;
};

// Division that truncates. Returns false if the divisor is 0; the call has then failed.
bool Divide(KernelRuntimeContext& context, Stack stack, Division* result) {
  const std::int64_t a = stack[0]->toInt();
  const std::int64_t b = stack[1]->toInt();
  if (b == 0) {
    context.fail(Error::InvalidArgument);
    return false;
  }
  if (b == -1) {  // The smallest integer divided by -1 wraps.
    *result = {static_cast<std::int64_t>(0 - static_cast<std::uint64_t>(a)), 0};
  } else {
    *result = {a / b, a % b};
  }
  return true;
}

bool HasIntegers(KernelRuntimeContext& context, Stack stack) {
  if (!HasArguments(context, stack, 3)) return false;
  if (stack[0]->isInt() && stack[1]->isInt()) return true;
  context.fail(Error::InvalidType);
  return false;
}

// As in the wheel's runtime, division by zero gives infinity with the sign of the dividend. Python
// refuses it.
double FloorDivide(double a, double b) {
  if (b == 0) {
    const double infinity = std::numeric_limits<double>::infinity();
    return std::signbit(a) ? -infinity : infinity;
  }
  const double remainder = std::fmod(a, b);
  const double quotient = (a - remainder) / b;
  return remainder != 0 && (b < 0) != (remainder < 0) ? quotient - 1 : quotient;
}

}  // namespace

void Add(KernelRuntimeContext& context, Stack stack) {
  Calculate(
      context, stack, [](auto a, auto b) { return a + b; }, [](auto a, auto b) { return a + b; });
}

void Sub(KernelRuntimeContext& context, Stack stack) {
  Calculate(
      context, stack, [](auto a, auto b) { return a - b; }, [](auto a, auto b) { return a - b; });
}

void Mul(KernelRuntimeContext& context, Stack stack) {
  Calculate(
      context, stack, [](auto a, auto b) { return a * b; }, [](auto a, auto b) { return a * b; });
}

void FloorDiv(KernelRuntimeContext& context, Stack stack) {
  if (!HasArguments(context, stack, 3)) return;
  const EValue &a = *stack[0], &b = *stack[1];
  if (!IsNumber(a) || !IsNumber(b)) {
    context.fail(Error::InvalidType);
  } else if (a.isInt() && b.isInt()) {
    Division division{};
    if (!Divide(context, stack, &division)) return;
    const bool below = division.remainder != 0 && (division.remainder < 0) != (b.toInt() < 0);
    *stack[2] = EValue(division.quotient - (below ? 1 : 0));
  } else {
    *stack[2] = EValue(FloorDivide(AsDouble(a), AsDouble(b)));
  }
}

void TrueDiv(KernelRuntimeContext& context, Stack stack) {
  if (!HasArguments(context, stack, 3)) return;
  if (!IsNumber(*stack[0]) || !IsNumber(*stack[1])) {
    context.fail(Error::InvalidType);
  } else {
    *stack[2] = EValue(AsDouble(*stack[0]) / AsDouble(*stack[1]));
  }
}

void IntDiv(KernelRuntimeContext& context, Stack stack) {
  Division division{};
  if (HasIntegers(context, stack) && Divide(context, stack, &division)) {
    *stack[2] = EValue(division.quotient);
  }
}

void Mod(KernelRuntimeContext& context, Stack stack) {
  Division division{};
  if (HasIntegers(context, stack) && Divide(context, stack, &division)) {
    *stack[2] = EValue(division.remainder);
  }
}

void Max(KernelRuntimeContext& context, Stack stack) {
  if (!HasIntegers(context, stack)) return;
  *stack[2] = EValue(stack[0]->toInt() > stack[1]->toInt() ? *stack[0] : *stack[1]);
}

void Min(KernelRuntimeContext& context, Stack stack) {
  if (!HasIntegers(context, stack)) return;
  *stack[2] = EValue(stack[0]->toInt() < stack[1]->toInt() ? *stack[0] : *stack[1]);
}

}  // namespace pilotlight::kernels
