// SPDX-License-Identifier: Apache-2.0
#include "signature_check.h"

#include <cstring>

#include <executorch/runtime/core/exec_aten/util/scalar_type_util.h>

namespace pilotlight::executorch_runtime {
namespace {

using executorch::runtime::EValue;
using executorch::runtime::Tag;
using Args = executorch::runtime::Span<EValue*>;

constexpr Kinds kInt = KindOf(Tag::Int);
constexpr Kinds kDouble = KindOf(Tag::Double);
constexpr Kinds kBool = KindOf(Tag::Bool);
constexpr Kinds kNumber = kInt | kDouble;
constexpr Kinds kScalar = kNumber | kBool;

// The kinds that an item without a modifier allows. `before` is the kind of the previous argument.
Kinds Wanted(char item, Kinds before) {
  switch (item) {
    case 't':
    case 'w':
      return KindOf(Tag::Tensor);
    case 'l':
    case 'W':
      return KindOf(Tag::ListTensor);
    case 'o':
      return KindOf(Tag::ListOptionalTensor);
    case 'i':
      return kInt;
    case 'd':
      return kDouble;
    case 'b':
      return kBool;
    case 'I':
      return KindOf(Tag::ListInt);
    case 'D':
      return KindOf(Tag::ListDouble);
    case 'B':
      return KindOf(Tag::ListBool);
    case 'S':
      return KindOf(Tag::String);
    case 's':
      return kScalar;
    case 'n':
      return kNumber;
    case '=':
      return before;
    case '~':
      return before == kBool ? kBool : kNumber;
    default:
      return 0;  // An item that this runtime does not know fits no call.
  }
}

Kinds KindOfElements(const EValue& tensor) {
  const auto type = tensor.toTensor().scalar_type();
  if (type == executorch::aten::ScalarType::Bool) return kBool;
  return executorch::runtime::isFloatingType(type) ? kDouble : kInt;
}

// The kind of the value with which the kernel replaces argument `index`.
Kinds KindOfResult(char item, Args args, std::size_t index) {
  switch (item) {
    case 'e':
      return KindOfElements(*args[0]);
    case 'n':
      for (std::size_t i = 0; i < index; ++i) {
        if (args[i]->isDouble()) return kDouble;
      }
      return kInt;
    default:
      return Wanted(item, KindOf(*args[index - 1]));
  }
}

std::size_t CountItems(const char* signature) {
  std::size_t count = 0;
  for (; *signature != '\0'; ++signature) {
    if (*signature != '?' && *signature != '>') ++count;
  }
  return count;
}

}  // namespace

bool SettleScalar(EValue& value, Kinds kind) {
  if ((KindOf(value) & kScalar) == 0) return false;
  switch (kind) {
    case kInt:
      value = EValue(std::int64_t{0});
      return true;
    case kDouble:
      value = EValue(0.0);
      return true;
    case kBool:
      value = EValue(false);
      return true;
    default:
      return false;
  }
}

Comparison CompareCall(const char* signature, Args args, bool* settled) {
  const std::size_t count = CountItems(signature);
  if (args.size() != count) return {Comparison::Outcome::kOtherCount, 0, count};
  for (std::size_t i = 0; i < count; ++i, ++signature) {
    const Kinds found = KindOf(*args[i]);
    Kinds wanted = 0;
    if (*signature == '*') continue;
    if (*signature == '0') {
      if (args[i] == args[0]) continue;
      return {Comparison::Outcome::kNotTheFirst, 0, i};
    }
    if (*signature == '>') {
      wanted = KindOfResult(*++signature, args, i);
      if (found != wanted && settled != nullptr && SettleScalar(*args[i], wanted)) {
        *settled = true;
        continue;
      }
    } else {
      if (*signature == '?') {
        wanted = KindOf(Tag::None);
        ++signature;
      }
      wanted |= Wanted(*signature, i == 0 ? Kinds{0} : KindOf(*args[i - 1]));
    }
    if ((found & wanted) == 0) return {Comparison::Outcome::kOtherKind, wanted, i};
  }
  return {Comparison::Outcome::kFits, 0, count};
}

void DescribeKinds(Kinds kinds, char* text, std::size_t room) {
  constexpr char kOr[] = " or ";
  text[0] = '\0';
  for (unsigned tag = 0; (kinds >> tag) != 0; ++tag) {
    if ((kinds >> tag & 1U) == 0) continue;
    const std::size_t length = std::strlen(text);
    const std::size_t joined = length == 0 ? 0 : sizeof(kOr) - 1;
    if (length + joined >= room) return;
    std::memcpy(text + length, kOr, joined);
    executorch::runtime::tag_to_string(static_cast<Tag>(tag), text + length + joined,
                                       room - length - joined);
  }
}

}  // namespace pilotlight::executorch_runtime
