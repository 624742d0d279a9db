// SPDX-License-Identifier: Apache-2.0
//
// Compares a call's arguments with the signature of its kernel
// (include/pilotlight/executorch/signatures.h). Private to firmware/executorch.
#pragma once

#include <cstddef>
#include <cstdint>

#include <executorch/runtime/core/evalue.h>
#include <executorch/runtime/core/span.h>

namespace pilotlight::executorch_runtime {

// A set of kinds. Bit n stands for Tag n.
using Kinds = std::uint16_t;

constexpr Kinds KindOf(executorch::runtime::Tag tag) {
  return static_cast<Kinds>(1U << static_cast<unsigned>(tag));
}
inline Kinds KindOf(const executorch::runtime::EValue& value) { return KindOf(value.tag); }

struct Comparison {
  enum class Outcome : std::uint8_t { kFits, kOtherCount, kOtherKind, kNotTheFirst };

  Outcome outcome;
  Kinds wanted;  // For kOtherKind.
  // The first argument that does not fit. For kOtherCount: the number of arguments wanted.
  std::size_t argument;
};

// If the kernel replaces a number or boolean with a value of another kind, the argument gets that
// kind now and *settled becomes true. If `settled` is null, such an argument does not fit.
Comparison CompareCall(const char* signature,
                       executorch::runtime::Span<executorch::runtime::EValue*> args, bool* settled);

// Gives `value` this kind, with content 0. False if the value or the kind is neither a number nor a
// boolean.
bool SettleScalar(executorch::runtime::EValue& value, Kinds kind);

// For messages: "Int", "Int or Double", ….
void DescribeKinds(Kinds kinds, char* text, std::size_t room);

}  // namespace pilotlight::executorch_runtime
