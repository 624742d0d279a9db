// SPDX-License-Identifier: Apache-2.0
#include "program_verifier.h"

#include "plan_verifier.h"
#include "program_schema.h"
#include "refuse.h"

namespace pilotlight::executorch_runtime {
namespace {

using executorch::runtime::Error;

// Checks that each segment lies inside the file.
Error VerifySegments(const executorch_flatbuffer::Program& program, const Bounds& bounds) {
  for (std::size_t i = 0; i < CountOf(program.segments()); ++i) {
    const auto* segment = TableAt(program.segments(), i);
    if (segment->offset() > bounds.segments_bytes ||
        segment->size() > bounds.segments_bytes - segment->offset()) {
      return PILOTLIGHT_REFUSE_AT((Place{nullptr, "segment", i}), Error::InvalidArgument,
                                  "%llu bytes at %llu reach beyond the file",
                                  static_cast<unsigned long long>(segment->size()),
                                  static_cast<unsigned long long>(segment->offset()));
    }
  }
  return Error::Ok;
}

Error VerifySubsegments(const executorch_flatbuffer::Program& program,
                        const executorch_flatbuffer::SubsegmentOffsets& list, Bounds& bounds,
                        Error no_segment, const Place& place) {
  const auto* offsets = list.offsets();
  // Entry 0 stands for "no data", so a list with no other entry needs no segment.
  if (CountOf(offsets) <= 1) return Error::Ok;
  const auto* segment = TableAt(program.segments(), list.segment_index());
  if (segment == nullptr) {
    return PILOTLIGHT_REFUSE_AT(place, no_segment, "segment %u of %zu",
                                static_cast<unsigned>(list.segment_index()),
                                CountOf(program.segments()));
  }
  if (!IsAligned(*offsets) || !bounds.Take(*offsets)) {
    return PILOTLIGHT_REFUSE_AT(place, Error::InvalidProgram,
                                "list is missing, misaligned or shared");
  }
  for (const std::uint64_t offset : *offsets) {
    if (offset > segment->size()) {
      return PILOTLIGHT_REFUSE_AT(place, Error::InvalidArgument,
                                  "offset %llu is beyond the segment",
                                  static_cast<unsigned long long>(offset));
    }
  }
  return Error::Ok;
}

Error VerifyNamedData(const executorch_flatbuffer::Program& program) {
  for (std::size_t i = 0; i < CountOf(program.named_data()); ++i) {
    const auto* entry = TableAt(program.named_data(), i);
    if (entry->key() == nullptr || entry->segment_index() >= CountOf(program.segments())) {
      return PILOTLIGHT_REFUSE_AT((Place{nullptr, "named data", i}), Error::InvalidProgram,
                                  "key is missing, or segment %u of %zu does not exist",
                                  static_cast<unsigned>(entry->segment_index()),
                                  CountOf(program.segments()));
    }
  }
  return Error::Ok;
}

Error VerifyDelegateData(const executorch_flatbuffer::Program& program) {
  for (std::size_t i = 0; i < CountOf(program.backend_delegate_data()); ++i) {
    if (TableAt(program.backend_delegate_data(), i)->data() == nullptr) {
      return PILOTLIGHT_REFUSE_AT((Place{nullptr, "delegate data", i}), Error::InvalidProgram,
                                  "no bytes");
    }
  }
  return Error::Ok;
}

}  // namespace

Error VerifyProgram(const executorch_flatbuffer::Program& program, Bounds bounds) {
  ET_CHECK_OK_OR_RETURN_ERROR(VerifySegments(program, bounds));
  if (program.constant_segment() != nullptr) {
    ET_CHECK_OK_OR_RETURN_ERROR(VerifySubsegments(program, *program.constant_segment(), bounds,
                                                  Error::InvalidProgram,
                                                  {nullptr, "constants in segment", 0}));
  }
  for (std::size_t i = 0; i < CountOf(program.mutable_data_segments()); ++i) {
    ET_CHECK_OK_OR_RETURN_ERROR(
        VerifySubsegments(program, *TableAt(program.mutable_data_segments(), i), bounds,
                          Error::NotFound, {nullptr, "initial state", i}));
  }
  ET_CHECK_OK_OR_RETURN_ERROR(VerifyNamedData(program));
  ET_CHECK_OK_OR_RETURN_ERROR(VerifyDelegateData(program));
  if (program.execution_plan() == nullptr) {
    return PILOTLIGHT_REFUSE(Error::InvalidProgram, "A program without methods");
  }
  for (std::size_t i = 0; i < program.execution_plan()->size(); ++i) {
    PlanVerifier verifier(*TableAt(program.execution_plan(), i), program, bounds);
    ET_CHECK_OK_OR_RETURN_ERROR(verifier.Verify());
  }
  return Error::Ok;
}

}  // namespace pilotlight::executorch_runtime
