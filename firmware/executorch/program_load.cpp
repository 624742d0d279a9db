// SPDX-License-Identifier: Apache-2.0
//
// Program: opens a .pte. load() verifies the whole file.
#include <executorch/runtime/executor/program.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include <c10/util/safe_numerics.h>

#include "extended_header.h"
#include "program_schema.h"
#include "program_verifier.h"
#include "refuse.h"
#include "segments.h"

#ifndef PILOTLIGHT_EXECUTORCH_VERIFIER
#define PILOTLIGHT_EXECUTORCH_VERIFIER 1
#endif

namespace executorch {
namespace runtime {
namespace {

using pilotlight::executorch_runtime::CountOf;
using pilotlight::executorch_runtime::ExtendedHeader;
using pilotlight::executorch_runtime::ExtentOf;
using pilotlight::executorch_runtime::FitsSize;
using pilotlight::executorch_runtime::SegmentExtent;

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

}  // namespace

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

}  // namespace runtime
}  // namespace executorch
