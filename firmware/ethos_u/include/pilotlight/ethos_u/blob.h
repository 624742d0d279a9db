// SPDX-License-Identifier: Apache-2.0
//
// The delegate blob in a .pte: what ExecuTorch's exporter packs from Vela's
// output (backends/arm/arm_vela.py in the executorch wheel). A sequence of
// blocks, each
//
//   name[16], NUL padded | u32 length | u8 external | 11 reserved bytes |
//   data[length], padded to a multiple of 16
//
// from `vela_bin_stream` to `vela_end_stream`, both empty, with between them
// cmd_data (a driver payload), weight_data (region 0), scratch_size (u32, the
// size of region 1), inputs and outputs (i32 count, then for each tensor six
// dims, element size, offset and region, all i32).
#pragma once

#include <cstddef>
#include <cstdint>

#include "pilotlight/base/span.h"
#include "pilotlight/base/status.h"

namespace pilotlight::ethos_u {

// Where one input or output lies in the scratch region, in the byte order of
// the ExecuTorch tensor: the exporter puts layout changes into the graph.
struct IoTensor {
  std::uint32_t element_bytes;
  std::uint32_t size_bytes;
  std::uint32_t offset;
};

// Inputs or outputs; decoded from the blob at each access, checked once.
class IoTable {
 public:
  IoTable() = default;
  explicit IoTable(const std::byte* block) : block_(block) {}  // A checked block's data.

  std::size_t size() const;
  IoTensor operator[](std::size_t index) const;
  std::uint32_t offset(std::size_t index) const;  // Of the same, alone.

 private:
  const std::byte* block_ = nullptr;
};

// Pointers into the blob.
struct Blob {
  Span<const std::byte> payload;
  Span<const std::byte> weights;  // May be empty.
  std::uint32_t scratch_size_bytes = 0;
  IoTable inputs;
  IoTable outputs;
};

// Why and where a blob was refused; `reason` is a literal.
struct BlobError {
  const char* reason = "";
  std::size_t offset = 0;
};

// Checks the whole blob: every length, count and offset, each block there once,
// each tensor inside the scratch region, inputs apart from each other.
//
// kBadModel     malformed.
// kUnsupported  well formed, but with an unknown block, a block kept outside
//               the blob, or a tensor outside region 1.
Status ParseBlob(Span<const std::byte> bytes, Blob& blob, BlobError& error);

}  // namespace pilotlight::ethos_u
