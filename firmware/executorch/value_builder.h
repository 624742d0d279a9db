// SPDX-License-Identifier: Apache-2.0
//
// Builds EValues in the method's pool from the schema's values. Private to firmware/executorch.
#pragma once

#include <cstddef>

#include <executorch/runtime/core/evalue.h>
#include <executorch/runtime/core/memory_allocator.h>

#include "program_schema.h"
#include "tensor_parser.h"

namespace executorch {
namespace runtime {

// Builds the values of one method in place, in their order. A list in the file refers to other
// values by index; the list that is built has pointers to them.
class ValueBuilder final {
 public:
  using Values = flatbuffers::Vector<flatbuffers::Offset<executorch_flatbuffer::EValue>>;

  // `values` must have room for all of `schema`. All arguments must outlive the builder.
  ValueBuilder(const Values& schema, EValue* values, MemoryAllocator* pool,
               deserialization::TensorParser* tensors)
      : schema_(schema), values_(values), pool_(pool), tensors_(tensors) {}

  // Constructs values[index]. On error, it stays unconstructed.
  //
  // MemoryAllocationFailed  the method pool is too small.
  // Others                  as for TensorParser::Parse().
  Error Build(std::size_t index);

 private:
  Error BuildTensor(const executorch_flatbuffer::Tensor& tensor, EValue* out);
  Error BuildString(const flatbuffers::String* text, EValue* out);
  template <typename T, typename Items>
  Error BuildPlainList(const Items* items, EValue* out);
  template <typename T, typename Items>
  Error BuildBoxedList(const Items* items, EValue* out);

  const Values& schema_;
  EValue* values_;
  MemoryAllocator* pool_;
  deserialization::TensorParser* tensors_;
};

}  // namespace runtime
}  // namespace executorch
