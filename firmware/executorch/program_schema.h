// SPDX-License-Identifier: Apache-2.0
//
// The FlatBuffers reader that flatc generates from the wheel's program.fbs, and
// the bounds-checked look-ups that the rest of this folder uses instead of
// trusting an index from the file. Private to firmware/executorch.
#pragma once

#include <cstddef>
#include <cstdint>

#include "program_generated.h"

namespace pilotlight::executorch_runtime {

// How many elements an optional vector has; an absent vector is an empty one.
template <typename T>
std::size_t CountOf(const flatbuffers::Vector<T>* vector) {
  return vector == nullptr ? 0 : vector->size();
}

// The table at `index`, or null when the vector is absent or too short.
template <typename T>
const T* TableAt(const flatbuffers::Vector<flatbuffers::Offset<T>>* vector, std::size_t index) {
  if (index >= CountOf(vector)) return nullptr;
  return vector->Get(static_cast<flatbuffers::uoffset_t>(index));
}

// True when `index` selects one of `count` entries; the schema's indices are
// signed, so a negative one has to be refused as well.
inline bool InRange(std::int64_t index, std::size_t count) {
  return index >= 0 && static_cast<std::uint64_t>(index) < count;
}

// FlatBuffers' verifier looks at the alignment of a vector's length only. Writers place
// an empty one where they like.
template <typename T>
bool IsAligned(const flatbuffers::Vector<T>& vector) {
  return vector.size() == 0 || reinterpret_cast<std::uintptr_t>(vector.Data()) % sizeof(T) == 0;
}

// `value` as a size of this machine; false when it does not fit (32-bit targets).
inline bool FitsSize(std::uint64_t value, std::size_t* size) {
  *size = static_cast<std::size_t>(value);
  return *size == value;
}

}  // namespace pilotlight::executorch_runtime
