// SPDX-License-Identifier: Apache-2.0
//
// Program: opens a .pte and finds its parts. load() verifies the whole file. The other functions
// rely on this verification, and check only the arguments of a caller.
#include <executorch/runtime/executor/program.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#include <c10/util/safe_numerics.h>
#include <executorch/runtime/core/event_tracer_hooks.h>

#include "extended_header.h"
#include "program_schema.h"
#include "program_verifier.h"
#include "refuse.h"

#ifndef PILOTLIGHT_EXECUTORCH_VERIFIER
#define PILOTLIGHT_EXECUTORCH_VERIFIER 1
#endif

namespace executorch {
namespace runtime {
namespace {

using pilotlight::executorch_runtime::CountOf;
using pilotlight::executorch_runtime::ExtendedHeader;
using pilotlight::executorch_runtime::FitsSize;
using pilotlight::executorch_runtime::TableAt;

using SegmentInfo = DataLoader::SegmentInfo;

// The reader accesses scalars in place, so the buffer must be aligned for the widest of them. The
// exporter also promises this alignment to kernels for constants.
constexpr std::size_t kProgramAlignBytes = 16;

static_assert(ExtendedHeader::kHeadBytes == Program::kMinHeadBytes,
              "check_header() and load() read the same bytes");

struct FileLayout {
  std::size_t program_size_bytes;
  std::size_t segment_base_offset;
  std::size_t file_bytes;
};

Result<FileLayout> ReadLayout(DataLoader* loader) {
  Result<FreeableBuffer> head =
      loader->load(0, ExtendedHeader::kHeadBytes, SegmentInfo(SegmentInfo::Type::Program));
  if (!head.ok()) return head.error();
  const Result<ExtendedHeader> header = ExtendedHeader::Parse(head->data(), head->size());
  if (header.error() == Error::NotFound) {
    const Result<size_t> file_size = loader->size();
    if (!file_size.ok()) return file_size.error();
    return FileLayout{*file_size, 0, *file_size};
  }
  if (!header.ok()) return header.error();

  FileLayout layout{};
  std::size_t segment_data_size = 0;
  std::size_t expected_size = 0;
  if (!FitsSize(header->program_size_bytes, &layout.program_size_bytes) ||
      !FitsSize(header->segment_base_offset, &layout.segment_base_offset) ||
      !FitsSize(header->segment_data_size, &segment_data_size) ||
      c10::add_overflows(layout.segment_base_offset, segment_data_size, &expected_size)) {
    return PILOTLIGHT_REFUSE(Error::InvalidProgram, "Extended header: sizes overflow");
  }
  if (segment_data_size == 0) expected_size = layout.program_size_bytes;
  const Result<size_t> file_size = loader->size();
  if (!file_size.ok()) return file_size.error();
  if (*file_size < expected_size) {
    return PILOTLIGHT_REFUSE(Error::InvalidProgram, "File cut short: %zu bytes, header says %zu",
                             *file_size, expected_size);
  }
  layout.file_bytes = *file_size;
  return layout;
}

// Checks the identifier and the position of the root table. The verifier checks everything after
// it.
Error CheckFrame(const FreeableBuffer& data) {
  const void* bytes = data.data();
  constexpr std::size_t kMinBytes =
      sizeof(flatbuffers::uoffset_t) + flatbuffers::kFileIdentifierLength;
  if (data.size() < kMinBytes) {
    return PILOTLIGHT_REFUSE(Error::InvalidProgram, "Program: %zu bytes, need %zu", data.size(),
                             kMinBytes);
  }
  if (reinterpret_cast<std::uintptr_t>(bytes) % kProgramAlignBytes != 0) {
    return PILOTLIGHT_REFUSE(Error::InvalidArgument, "Program at %p is not aligned to %zu bytes",
                             bytes, kProgramAlignBytes);
  }
  if (!executorch_flatbuffer::ProgramBufferHasIdentifier(bytes)) {
    return PILOTLIGHT_REFUSE(
        Error::InvalidProgram, "Not a program: identifier '%.4s', expected '%.4s'",
        flatbuffers::GetBufferIdentifier(bytes), executorch_flatbuffer::ProgramIdentifier());
  }
  const auto root = flatbuffers::ReadScalar<flatbuffers::uoffset_t>(bytes);
  if (root < kMinBytes || root > data.size() - sizeof(flatbuffers::soffset_t)) {
    return PILOTLIGHT_REFUSE(Error::InvalidProgram, "Root table at %u is outside the program",
                             static_cast<unsigned>(root));
  }
  return Error::Ok;
}

// Runs on every load, at every verification level that the caller may ask for. Code that reads the
// program later does not repeat these checks.
Error Verify(const FreeableBuffer& data, const FileLayout& layout) {
#if PILOTLIGHT_EXECUTORCH_VERIFIER
  constexpr std::size_t kMaxBytes = FLATBUFFERS_MAX_BUFFER_SIZE - 1;
  constexpr std::size_t kMinTableBytes = 8;  // With the offset that refers to it.
  constexpr flatbuffers::uoffset_t kMaxDepth = 64;
  // A table counts once for each reference to it, so a small file cannot take long to verify.
  const auto max_tables = static_cast<flatbuffers::uoffset_t>(data.size() / kMinTableBytes);
  if (data.size() > kMaxBytes) {
    return PILOTLIGHT_REFUSE(Error::InvalidProgram, "Program of %zu bytes, at most %zu",
                             data.size(), kMaxBytes);
  }
  flatbuffers::Verifier verifier(static_cast<const std::uint8_t*>(data.data()), data.size(),
                                 kMaxDepth, max_tables);
  if (!executorch_flatbuffer::VerifyProgramBuffer(verifier)) {
    return PILOTLIGHT_REFUSE(Error::InvalidProgram,
                             "Program is damaged: FlatBuffers verification failed");
  }
  const std::size_t base = layout.segment_base_offset;
  return pilotlight::executorch_runtime::VerifyProgram(
      *executorch_flatbuffer::GetProgram(data.data()),
      {base, layout.file_bytes - (base < layout.file_bytes ? base : layout.file_bytes),
       data.size()});
#else
  (void)data, (void)layout;
  return Error::Ok;
#endif
}

// The position of one entry of Program.segments. Verification has checked that the segment is
// inside the file.
struct SegmentExtent {
  std::size_t offset;  // From the start of the file.
  std::size_t size_bytes;
};

Result<SegmentExtent> ExtentOf(const executorch_flatbuffer::Program* program,
                               std::size_t segment_base_offset, std::size_t index) {
  const auto* segment = TableAt(program->segments(), index);
  if (segment == nullptr) {
    return PILOTLIGHT_REFUSE(Error::NotFound, "Segment %zu of %zu", index,
                             CountOf(program->segments()));
  }
  return SegmentExtent{segment_base_offset + static_cast<std::size_t>(segment->offset()),
                       static_cast<std::size_t>(segment->size())};
}

// Loads the constants' segment. The segment stays loaded as long as the program exists.
Result<FreeableBuffer> LoadConstants(DataLoader* loader,
                                     const executorch_flatbuffer::Program* program,
                                     std::size_t segment_base_offset) {
  const auto* constants = program->constant_segment();
  // Entry 0 stands for "no data", so a list of one entry means that there are no constants. A
  // program without a list has inline constants (Program.constant_buffer). Exporters no longer
  // write this form, and this runtime does not read it.
  if (constants == nullptr || CountOf(constants->offsets()) == 0) {
    return PILOTLIGHT_REFUSE(Error::InvalidProgram, "No constant segment: export the model again");
  }
  if (CountOf(program->constant_buffer()) > 0) {
    return PILOTLIGHT_REFUSE(Error::InvalidProgram, "Constants both inline and in a segment");
  }
  if (constants->offsets()->size() == 1) return FreeableBuffer{};
  const std::size_t index = constants->segment_index();
  const Result<SegmentExtent> extent = ExtentOf(program, segment_base_offset, index);
  if (!extent.ok()) return extent.error();
  return loader->load(extent->offset, extent->size_bytes,
                      SegmentInfo(SegmentInfo::Type::Constant, index));
}

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

Result<Program> Program::load(DataLoader* loader, Verification) {
  EXECUTORCH_SCOPE_PROF("Program::load");
  Result<FileLayout> layout = ReadLayout(loader);
  if (!layout.ok()) return layout.error();
  Result<FreeableBuffer> data =
      loader->load(0, layout->program_size_bytes, SegmentInfo(SegmentInfo::Type::Program));
  if (!data.ok()) return data.error();
  ET_CHECK_OK_OR_RETURN_ERROR(CheckFrame(*data));
  ET_CHECK_OK_OR_RETURN_ERROR(Verify(*data, *layout));

  const executorch_flatbuffer::Program* program = executorch_flatbuffer::GetProgram(data->data());
  if (program->version() > kMaxSupportedSchemaVersion) {
    return PILOTLIGHT_REFUSE(Error::InvalidProgram,
                             "Schema version %u is newer than %u; update the runtime",
                             static_cast<unsigned>(program->version()),
                             static_cast<unsigned>(kMaxSupportedSchemaVersion));
  }
  Result<FreeableBuffer> constants = LoadConstants(loader, program, layout->segment_base_offset);
  if (!constants.ok()) return constants.error();

  std::optional<internal::PteDataMap> named_data;
  if (CountOf(program->named_data()) > 0) {
    Result<internal::PteDataMap> map = internal::PteDataMap::create(
        loader, layout->segment_base_offset, program->named_data(), program->segments());
    if (!map.ok()) return map.error();
    named_data.emplace(std::move(*map));
  }
  return Program(loader, layout->segment_base_offset, std::move(*data), program,
                 std::move(*constants), std::move(named_data));
}

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

Program::HeaderStatus Program::check_header(const void* data, size_t size) {
  if (size < kMinHeadBytes) return HeaderStatus::ShortData;
  if (executorch_flatbuffer::ProgramBufferHasIdentifier(data)) {
    return HeaderStatus::CompatibleVersion;
  }
  // In every version, the identifier is "ET" and two digits.
  const char* identifier = flatbuffers::GetBufferIdentifier(data);
  if (identifier[0] == 'E' && identifier[1] == 'T') return HeaderStatus::IncompatibleVersion;
  return HeaderStatus::NotPresent;
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
