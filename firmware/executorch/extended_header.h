// SPDX-License-Identifier: Apache-2.0
//
// The exporter's header between the FlatBuffers identifier and the root table. The header says
// where the program ends and where the segments begin. Layout: `_ExtendedHeader` in
// executorch/exir/_serialize/_program.py.
#pragma once

#include <cstddef>
#include <cstdint>

#include <executorch/runtime/core/result.h>

namespace pilotlight::executorch_runtime {

struct ExtendedHeader {
  // The whole header lies within this many bytes from the start of the file.
  static constexpr std::size_t kHeadBytes = 64;

  std::uint64_t program_size_bytes;
  std::uint64_t segment_base_offset;  // 0: the file has no segments.
  std::uint64_t segment_data_size;    // 0: unknown, or no segments.

  // InvalidArgument  `size_bytes` is less than kHeadBytes.
  // NotFound         no header; the whole file is the program.
  // InvalidProgram   the header says that it has fewer than 24 bytes.
  static executorch::runtime::Result<ExtendedHeader> Parse(const void* head,
                                                           std::size_t size_bytes);
};

}  // namespace pilotlight::executorch_runtime
