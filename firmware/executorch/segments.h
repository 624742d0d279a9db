// SPDX-License-Identifier: Apache-2.0
//
// Finds a segment of a verified program in its file. Private to firmware/executorch.
#pragma once

#include <cstddef>

#include <executorch/runtime/core/result.h>

#include "program_schema.h"

namespace pilotlight::executorch_runtime {

// The position of one entry of Program.segments. Verification has checked that the segment is
// inside the file.
struct SegmentExtent {
  std::size_t offset;  // From the start of the file.
  std::size_t size_bytes;
};

// NotFound if there is no segment `index`.
executorch::runtime::Result<SegmentExtent> ExtentOf(const executorch_flatbuffer::Program* program,
                                                    std::size_t segment_base_offset,
                                                    std::size_t index);

}  // namespace pilotlight::executorch_runtime
