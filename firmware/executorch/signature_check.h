// SPDX-License-Identifier: Apache-2.0
//
// A call's arguments against the signature of its kernel
// (include/pilotlight/executorch/signatures.h). Private to firmware/executorch.
#pragma once

#include <cstddef>
#include <cstdint>

#include <executorch/runtime/core/evalue.h>
#include <executorch/runtime/core/span.h>

namespace pilotlight::executorch_runtime {

// Bit n: Tag n.
using Kinds = std::uint16_t;

constexpr Kinds KindOf(executorch::runtime::Tag tag) {
  return static_cast<Kinds>(1U << static_cast<unsigned>(tag));
}
inline Kinds KindOf(const executorch::runtime::EValue& value) { return KindOf(value.tag); }

struct Comparison {
  enum class Outcome : std::uint8_t { kFits, kOtherCount, kOtherKind, kNotTheFirst };

  Outcome outcome;
  Kinds wanted;          // With kOtherKind.
  std::size_t argument;  // The first that does not fit; with kOtherCount how many are wanted.
};

// A number or boolean that the kernel replaces by one of another kind gets that kind now,
// and *settled becomes true; without `settled` it does not fit.
Comparison CompareCall(const char* signature,
                       executorch::runtime::Span<executorch::runtime::EValue*> args, bool* settled);

// Gives `value` the kind, with 0 as its content. False if one of them is neither number nor
// boolean.
bool SettleScalar(executorch::runtime::EValue& value, Kinds kind);

// "Int", "Int or Double", …; for messages.
void DescribeKinds(Kinds kinds, char* text, std::size_t room);

}  // namespace pilotlight::executorch_runtime
