// SPDX-License-Identifier: Apache-2.0
//
// Program: finds the parts of a .pte. load() (program_load.cpp) has verified the whole file. The
// functions of this file rely on this verification, and check only the arguments of a caller.
#include <executorch/runtime/executor/program.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include <executorch/runtime/core/event_tracer_hooks.h>

#include "program_schema.h"
#include "refuse.h"
#include "segments.h"

namespace executorch {
namespace runtime {
namespace {

using pilotlight::executorch_runtime::CountOf;
using pilotlight::executorch_runtime::ExtentOf;
using pilotlight::executorch_runtime::SegmentExtent;
using pilotlight::executorch_runtime::TableAt;

using SegmentInfo = DataLoader::SegmentInfo;

Result<executorch_flatbuffer::ExecutionPlan*> FindPlan(
    const executorch_flatbuffer::Program* program, const char* method_name) {
  const auto* plans = program->execution_plan();
  for (std::size_t i = 0; i < CountOf(plans); ++i) {
    const auto* plan = TableAt(plans, i);
    if (std::strcmp(plan->name()->c_str(), method_name) == 0) {
      // Method's interface takes a non-const plan; nothing writes through it.
      return const_cast<executorch_flatbuffer::ExecutionPlan*>(plan);
    }
  }
  return PILOTLIGHT_REFUSE(Error::InvalidArgument, "No method named '%s' in program", method_name);
}

}  // namespace

Result<const void*> Program::get_constant_buffer_data(size_t buffer_idx, size_t nbytes) const {
  const auto* segment = internal_program_->constant_segment();
  if (constant_segment_data_.data() == nullptr || segment == nullptr) {
    return PILOTLIGHT_REFUSE(Error::InvalidProgram,
                             "Constant %zu of a program without a constant segment", buffer_idx);
  }
  if (buffer_idx >= CountOf(segment->offsets())) {
    return PILOTLIGHT_REFUSE(Error::InvalidArgument, "Constant %zu of %zu", buffer_idx,
                             CountOf(segment->offsets()));
  }
  const std::uint64_t offset =
      segment->offsets()->Get(static_cast<flatbuffers::uoffset_t>(buffer_idx));
  const std::size_t size_bytes = constant_segment_data_.size();
  if (offset > size_bytes || nbytes > size_bytes - offset) {
    return PILOTLIGHT_REFUSE(Error::InvalidArgument,
                             "Constant %zu: %zu bytes reach beyond the segment's %zu", buffer_idx,
                             nbytes, size_bytes);
  }
  const auto* bytes = static_cast<const std::uint8_t*>(constant_segment_data_.data());
  return static_cast<const void*>(bytes + offset);
}

Result<const NamedDataMap*> Program::get_named_data_map() const {
  if (!pte_data_map_.has_value()) return Error::NotFound;
  return static_cast<const NamedDataMap*>(&*pte_data_map_);
}

size_t Program::num_methods() const { return CountOf(internal_program_->execution_plan()); }

Result<const char*> Program::get_method_name(size_t method_index) const {
  const auto* plan = TableAt(internal_program_->execution_plan(), method_index);
  if (plan == nullptr) {
    return PILOTLIGHT_REFUSE(Error::InvalidArgument, "Method %zu of %zu", method_index,
                             num_methods());
  }
  return plan->name()->c_str();
}

Result<Method> Program::load_method(const char* method_name, MemoryManager* memory_manager,
                                    EventTracer* event_tracer, const NamedDataMap* named_data_map,
                                    const LoadBackendOptionsMap* backend_options,
                                    Span<const Kernel> kernel_registry) const {
  EXECUTORCH_SCOPE_PROF("Program::load_method");
  internal::event_tracer_create_event_block(event_tracer, "Default");
  internal::EventTracerProfileMethodScope scope(event_tracer, "Program::load_method");
  if (memory_manager == nullptr || memory_manager->method_allocator() == nullptr) {
    return PILOTLIGHT_REFUSE(Error::InvalidArgument, "load_method() needs a method allocator");
  }
  const Result<executorch_flatbuffer::ExecutionPlan*> plan =
      FindPlan(internal_program_, method_name);
  if (!plan.ok()) return plan.error();
  const std::uint32_t lines = pilotlight::executorch_runtime::ErrorLines();
  Result<Method> method = Method::load(*plan, this, memory_manager, event_tracer, named_data_map,
                                       backend_options, kernel_registry);
  if (method.error() == Error::MemoryAllocationFailed) {
    return PILOTLIGHT_REFUSE_UNLESS_SAID(
        lines, Error::MemoryAllocationFailed, "Method '%s' does not fit its pool of %u bytes",
        method_name, static_cast<unsigned>(memory_manager->method_allocator()->size()));
  }
  return method;
}

Result<MethodMeta> Program::method_meta(const char* method_name) const {
  const Result<executorch_flatbuffer::ExecutionPlan*> plan =
      FindPlan(internal_program_, method_name);
  if (!plan.ok()) return plan.error();
  return MethodMeta(*plan);
}

Result<const char*> Program::get_output_flattening_encoding(const char* method_name) const {
  const Result<executorch_flatbuffer::ExecutionPlan*> plan =
      FindPlan(internal_program_, method_name);
  if (!plan.ok()) return plan.error();
  const auto* container = (*plan)->container_meta_type();
  if (container == nullptr || container->encoded_out_str() == nullptr) return Error::InvalidProgram;
  return container->encoded_out_str()->c_str();
}

Error Program::get_backend_delegate_data(size_t index, const void** out_data,
                                         size_t* out_size) const {
  const auto* entry = TableAt(internal_program_->backend_delegate_data(), index);
  if (entry == nullptr) {
    return PILOTLIGHT_REFUSE(Error::NotFound, "Delegate data %zu of %zu", index,
                             CountOf(internal_program_->backend_delegate_data()));
  }
  *out_data = entry->data()->data();
  *out_size = entry->data()->size();
  return Error::Ok;
}

Result<FreeableBuffer> Program::LoadSegment(const DataLoader::SegmentInfo& segment_info) const {
  if (loader_ == nullptr) {
    return PILOTLIGHT_REFUSE(Error::NotFound, "Segment %zu of a program without segments",
                             segment_info.segment_index);
  }
  const Result<SegmentExtent> extent =
      ExtentOf(internal_program_, segment_base_offset_, segment_info.segment_index);
  if (!extent.ok()) return extent.error();
  return loader_->load(extent->offset, extent->size_bytes, segment_info);
}

Error Program::load_mutable_subsegment_into(size_t mutable_data_segments_index, size_t offset_index,
                                            size_t size, void* buffer) const {
  if (loader_ == nullptr) {
    return PILOTLIGHT_REFUSE(Error::NotFound, "Initial state %zu of a program without segments",
                             mutable_data_segments_index);
  }
  const auto* subsegments =
      TableAt(internal_program_->mutable_data_segments(), mutable_data_segments_index);
  if (subsegments == nullptr || offset_index >= CountOf(subsegments->offsets())) {
    return PILOTLIGHT_REFUSE(Error::NotFound, "Initial state %zu:%zu does not exist",
                             mutable_data_segments_index, offset_index);
  }
  const std::size_t segment_index = subsegments->segment_index();
  const Result<SegmentExtent> extent =
      ExtentOf(internal_program_, segment_base_offset_, segment_index);
  if (!extent.ok()) return extent.error();
  const std::uint64_t offset =
      subsegments->offsets()->Get(static_cast<flatbuffers::uoffset_t>(offset_index));
  if (offset > extent->size_bytes || size > extent->size_bytes - offset) {
    return PILOTLIGHT_REFUSE(Error::InvalidArgument,
                             "Initial state %zu:%zu: %zu bytes reach beyond the segment",
                             mutable_data_segments_index, offset_index, size);
  }
  const std::size_t file_offset = extent->offset + static_cast<std::size_t>(offset);
  return loader_->load_into(file_offset, size,
                            SegmentInfo(SegmentInfo::Type::Mutable, segment_index), buffer);
}

}  // namespace runtime
}  // namespace executorch
