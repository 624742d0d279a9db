// SPDX-License-Identifier: Apache-2.0
#include "backend_delegate.h"

#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

#include <executorch/runtime/executor/program.h>

#include "program_schema.h"
#include "refuse.h"

namespace executorch {
namespace runtime {
namespace {

using pilotlight::executorch_runtime::CountOf;
using pilotlight::executorch_runtime::TableAt;

Result<ArrayRef<CompileSpec>> MakeCompileSpecs(
    const executorch_flatbuffer::BackendDelegate& delegate, MemoryAllocator* pool) {
  const std::size_t count = CountOf(delegate.compile_specs());
  auto* specs = pool->allocateList<CompileSpec>(count);
  if (specs == nullptr) return Error::MemoryAllocationFailed;
  for (std::size_t i = 0; i < count; ++i) {
    const auto* spec = TableAt(delegate.compile_specs(), i);
    // CompileSpec holds a pointer to non-const data; delegates only read it.
    specs[i] = {spec->key()->c_str(),
                {const_cast<std::uint8_t*>(spec->value()->data()), spec->value()->size()}};
  }
  return ArrayRef<CompileSpec>(specs, count);
}

}  // namespace

Error BackendDelegate::Load(const executorch_flatbuffer::BackendDelegate& delegate,
                            const Program& program, BackendInitContext& context,
                            BackendDelegate* out) {
  const char* id = delegate.id()->c_str();
  const BackendInterface* backend = get_backend_class(id);
  if (backend == nullptr || !backend->is_available()) {
    return PILOTLIGHT_REFUSE(Error::NotFound, "Backend %s is not in this image, or not available",
                             id);
  }
  Result<ArrayRef<CompileSpec>> specs = MakeCompileSpecs(delegate, context.get_runtime_allocator());
  if (!specs.ok()) return specs.error();
  Result<FreeableBuffer> data = LoadData(delegate, program);
  if (!data.ok()) return data.error();

  new (out) BackendDelegate(backend, std::move(*data));
  const std::uint32_t lines = pilotlight::executorch_runtime::ErrorLines();
  Result<DelegateHandle*> handle = backend->init(context, &out->processed_, *specs);
  if (!handle.ok()) {
    out->~BackendDelegate();
    return PILOTLIGHT_REFUSE_UNLESS_SAID(lines, handle.error(), "Backend %s refused its data: 0x%x",
                                         id, static_cast<unsigned>(handle.error()));
  }
  out->handle_ = *handle;
  return Error::Ok;
}

Result<FreeableBuffer> BackendDelegate::LoadData(
    const executorch_flatbuffer::BackendDelegate& delegate, const Program& program) {
  const auto* processed = delegate.processed();
  if (processed->location() == executorch_flatbuffer::DataLocation::SEGMENT) {
    return program.LoadSegment(DataLoader::SegmentInfo(DataLoader::SegmentInfo::Type::Backend,
                                                       processed->index(), delegate.id()->c_str()));
  }
  const void* data = nullptr;
  std::size_t size_bytes = 0;
  ET_CHECK_OK_OR_RETURN_ERROR(
      program.get_backend_delegate_data(processed->index(), &data, &size_bytes));
  return FreeableBuffer(data, size_bytes, nullptr);
}

BackendDelegate::~BackendDelegate() {
  if (handle_ != nullptr) backend_->destroy(handle_);
}

}  // namespace runtime
}  // namespace executorch
