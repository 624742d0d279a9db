// SPDX-License-Identifier: Apache-2.0
#include "segments.h"

#include "refuse.h"

namespace pilotlight::executorch_runtime {

executorch::runtime::Result<SegmentExtent> ExtentOf(const executorch_flatbuffer::Program* program,
                                                    std::size_t segment_base_offset,
                                                    std::size_t index) {
  const auto* segment = TableAt(program->segments(), index);
  if (segment == nullptr) {
    return PILOTLIGHT_REFUSE(executorch::runtime::Error::NotFound, "Segment %zu of %zu", index,
                             CountOf(program->segments()));
  }
  return SegmentExtent{segment_base_offset + static_cast<std::size_t>(segment->offset()),
                       static_cast<std::size_t>(segment->size())};
}

}  // namespace pilotlight::executorch_runtime
