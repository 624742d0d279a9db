// SPDX-License-Identifier: Apache-2.0
//
// The delegate blob in a .pte. ExecuTorch's exporter packs the blob from Vela's output
// (backends/arm/arm_vela.py in the executorch wheel). It is a sequence of blocks:
//
//   name[16], NUL padded | u32 length | u8 external | 11 reserved bytes |
//   data[length], padded to a multiple of 16
//
// The first block is `vela_bin_stream` and the last is `vela_end_stream`; both are empty.
// Between them are:
//
//   cmd_data          a driver payload (payload.h)
//   weight_data       region 0
//   scratch_size      u32, the size of region 1
//   inputs, outputs   i32 count, then for each tensor six dimensions, element size, offset
//                     and region, all i32
#pragma once

#include <cstddef>
#include <cstdint>

#include "pilotlight/base/span.h"
#include "pilotlight/base/status.h"
#include "pilotlight/ethos_u/command_stream.h"

namespace pilotlight::ethos_u {

// Region 0 is `weight_data`. Inputs and outputs are in the scratch region, unless Vela was told to
// separate them.
inline constexpr std::uint32_t kScratchRegion = 1, kFastScratchRegion = 2;
inline constexpr std::uint32_t kInputRegion = 3, kOutputRegion = 4;

// One input or output. Its bytes have the order of the ExecuTorch tensor, because the exporter puts
// layout changes into the graph.
struct IoTensor {
  std::uint32_t element_bytes;
  std::uint32_t size_bytes;
  std::uint32_t offset;
  std::uint32_t region;
};

// Inputs or outputs. ParseBlob() checks these tensors once; each access decodes them from the blob.
class IoTable {
 public:
  IoTable() = default;
  explicit IoTable(const std::byte* block) : block_(block) {}  // Data of a checked block.

  std::size_t size() const;
  IoTensor operator[](std::size_t index) const;
  std::uint32_t offset(std::size_t index) const;  // Only IoTensor::offset.
  std::uint32_t region(std::size_t index) const;  // Only IoTensor::region.

 private:
  const std::byte* block_ = nullptr;
};

// Pointers into the blob.
struct Blob {
  Span<const std::byte> payload;
  Span<const std::byte> weights;  // May be empty.
  // Bytes of each region, as RegionSizes. The regions of inputs and outputs end with their last
  // tensor. Region 2 is not known here.
  RegionSizes sizes;
  IoTable inputs;
  IoTable outputs;
};

// Why and where a blob was refused. `reason` is a literal.
struct BlobError {
  const char* reason = "";
  std::size_t offset = 0;
};

// Checks the whole blob: every length, count and offset. Each block must occur once, each
// tensor must lie in the scratch region or in the region of inputs or outputs, and inputs must not
// overlap.
//
// kBadModel     malformed.
// kUnsupported  well formed, but with an unknown block, a block stored outside the blob, a
//               tensor in another region, or more tensors than the driver takes.
Status ParseBlob(Span<const std::byte> bytes, Blob& blob, BlobError& error);

}  // namespace pilotlight::ethos_u
