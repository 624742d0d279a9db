// SPDX-License-Identifier: Apache-2.0
//
// Builds a TensorImpl in the method's pool from the schema's Tensor. The dim order, and the shape
// of a static tensor, stay in the .pte. Strides are allocated, and so are the sizes of a tensor
// that may be resized. Private to firmware/executorch.
#pragma once

#include <cstddef>

#include <executorch/runtime/core/evalue.h>
#include <executorch/runtime/core/freeable_buffer.h>
#include <executorch/runtime/core/named_data_map.h>
#include <executorch/runtime/core/result.h>
#include <executorch/runtime/core/span.h>
#include <executorch/runtime/executor/memory_manager.h>

namespace executorch_flatbuffer {
struct Tensor;
}  // namespace executorch_flatbuffer

namespace executorch {
namespace runtime {

class Program;

namespace deserialization {

// A constant that lies outside the .pte. It is loaded once per method.
struct NamedData {
  const char* key;
  FreeableBuffer buffer;
};

// executor/program.h declares a class of this name as a friend of Program.
class TensorParser final {
 public:
  // What one method provides for its tensors. `named_data` may be null.
  TensorParser(const Program* program, MemoryManager* memory, const NamedDataMap* named_data,
               Span<NamedData> external_constants)
      : program_(program),
        memory_(memory),
        named_data_(named_data),
        external_constants_(external_constants) {}

  // NotSupported            well formed, but with a feature that this runtime lacks.
  // MemoryAllocationFailed  the method pool or the planned memory is too small.
  // InvalidProgram          a constant or an initial state of booleans contains a byte above 1.
  // InvalidExternalData     external data is missing or has another layout.
  // Others                  from the data loader.
  Result<etensor::Tensor> Parse(const executorch_flatbuffer::Tensor& tensor);

 private:
  Result<void*> DataOf(const executorch_flatbuffer::Tensor& tensor, std::size_t size_bytes);
  Result<void*> PlannedMemory(const executorch_flatbuffer::Tensor& tensor, std::size_t size_bytes);
  Result<void*> ExternalData(const executorch_flatbuffer::Tensor& tensor, std::size_t size_bytes);

  const Program* program_;
  MemoryManager* memory_;
  const NamedDataMap* named_data_;
  Span<NamedData> external_constants_;
};

// Refuses external data if its dtype, shape or dim order differs from the tensor's.
Error CheckLayout(const executorch_flatbuffer::Tensor& tensor, const TensorLayout& layout);

}  // namespace deserialization
}  // namespace runtime
}  // namespace executorch
