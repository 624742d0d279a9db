// SPDX-License-Identifier: Apache-2.0
//
// From the schema's values to EValues in the method's pool. Private to
// firmware/executorch.
#pragma once

#include <cstddef>

#include <executorch/runtime/core/evalue.h>
#include <executorch/runtime/core/memory_allocator.h>

#include "program_schema.h"
#include "tensor_parser.h"

namespace executorch {
namespace runtime {

// Builds the values of one method in place, in order. Lists refer to other values
// by index and hold pointers to them.
class ValueBuilder final {
 public:
  using Values = flatbuffers::Vector<flatbuffers::Offset<executorch_flatbuffer::EValue>>;

  // `values` has room for all of `schema`. All arguments outlive the builder.
  ValueBuilder(const Values& schema, EValue* values, MemoryAllocator* pool,
               deserialization::TensorParser* tensors)
      : schema_(schema), values_(values), pool_(pool), tensors_(tensors) {}

  // Constructs values[index]; on any error it is left unconstructed.
  //
  // MemoryAllocationFailed  the method pool is too small.
  // Others                  as TensorParser::Parse().
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
