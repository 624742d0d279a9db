// SPDX-License-Identifier: Apache-2.0
//
// The dtypes of each operator that this image needs. At compile time a kernel intersects them with
// the dtypes that it supports, so code for other dtypes is never generated. In a library for any
// program (unit tests) every dtype is selected.
#pragma once

#include <cstdint>
#include <string_view>

#include <executorch/runtime/core/exec_aten/exec_aten.h>

#ifdef PILOTLIGHT_SELECTED_OPERATORS
#include "selected_operators.h"
#endif

namespace pilotlight::kernels {

using ::executorch::aten::ScalarType;

// Bit n stands for ScalarType n.
using DtypeSet = std::uint32_t;

constexpr DtypeSet SetOf(ScalarType dtype) {
  const auto number = static_cast<unsigned>(dtype);
  return number < 32 ? DtypeSet{1} << number : 0;
}
template <typename... Dtypes>
constexpr DtypeSet SetOf(ScalarType first, Dtypes... others) {
  return SetOf(first) | SetOf(others...);
}

constexpr bool Contains(DtypeSet set, ScalarType dtype) { return (set & SetOf(dtype)) != 0; }

inline constexpr DtypeSet kIntegers =
    SetOf(ScalarType::Byte, ScalarType::Char, ScalarType::Short, ScalarType::Int, ScalarType::Long);
inline constexpr DtypeSet kIntegral = kIntegers | SetOf(ScalarType::Bool);
inline constexpr DtypeSet kFloats = SetOf(ScalarType::Half, ScalarType::Float, ScalarType::Double);
inline constexpr DtypeSet kNumbers = kIntegers | kFloats;
inline constexpr DtypeSet kAnyDtype = kNumbers | SetOf(ScalarType::Bool);

#ifdef PILOTLIGHT_SELECTED_OPERATORS

// The dtypes that the tensors of `name` ("aten::add.out") have in this image's program.
constexpr DtypeSet Selected(std::string_view name) {
  DtypeSet found = 0;
  for (const SelectedOperator& selected : kSelectedOperators) {
    if (selected.name == name) found |= selected.dtypes;
  }
  return found;
}

// The dtypes that the tensors of any operator have.
constexpr DtypeSet SelectedByAny() {
  DtypeSet found = 0;
  for (const SelectedOperator& selected : kSelectedOperators) found |= selected.dtypes;
  return found;
}

#else

constexpr DtypeSet Selected(std::string_view) { return kAnyDtype; }
constexpr DtypeSet SelectedByAny() { return kAnyDtype; }

#endif

}  // namespace pilotlight::kernels
