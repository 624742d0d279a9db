// SPDX-License-Identifier: Apache-2.0
//
// The FlatBuffers reader that flatc generates from the wheel's program.fbs, and look-ups with
// bounds checks. The rest of this folder uses these instead of trusting an index from the file.
// Private to firmware/executorch.
#pragma once

#include <cstddef>
#include <cstdint>

#include "program_generated.h"

namespace pilotlight::executorch_runtime {

// The number of elements of an optional vector; 0 if it is absent.
template <typename T>
std::size_t CountOf(const flatbuffers::Vector<T>* vector) {
  return vector == nullptr ? 0 : vector->size();
}

// The table at `index`; null if the vector is absent or too short.
template <typename T>
const T* TableAt(const flatbuffers::Vector<flatbuffers::Offset<T>>* vector, std::size_t index) {
  if (index >= CountOf(vector)) return nullptr;
  return vector->Get(static_cast<flatbuffers::uoffset_t>(index));
}

// True if `index` selects one of `count` entries. The schema's indices are signed, so this also
// refuses negative ones.
inline bool InRange(std::int64_t index, std::size_t count) {
  return index >= 0 && static_cast<std::uint64_t>(index) < count;
}

// FlatBuffers' verifier checks only the alignment of a vector's length, so this checks its
// elements. An empty vector may have any position.
template <typename T>
bool IsAligned(const flatbuffers::Vector<T>& vector) {
  return vector.size() == 0 || reinterpret_cast<std::uintptr_t>(vector.Data()) % sizeof(T) == 0;
}

// Converts `value` to a size of this machine; false if it does not fit (32-bit targets).
inline bool FitsSize(std::uint64_t value, std::size_t* size) {
  *size = static_cast<std::size_t>(value);
  return *size == value;
}

}  // namespace pilotlight::executorch_runtime
