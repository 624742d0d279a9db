// SPDX-License-Identifier: Apache-2.0
//
// Checks a delegate's blob once and completely: the blocks (blob.h), the driver payload
// (payload.h), and every access of the command stream (command_stream.h). This check needs no
// hardware and allocates nothing, so fuzzers and host tools can call it too.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pilotlight/base/span.h"
#include "pilotlight/ethos_u/blob.h"
#include "pilotlight/ethos_u/failure.h"

namespace pilotlight::ethos_u {

// The regions that a run needs memory for. Those of inputs and outputs may have no bytes.
inline constexpr std::uint8_t kMemoryRegions[] = {kScratchRegion, kInputRegion, kOutputRegion};

// The parts of the blob that a run needs. Region 0 is `weights`, and region 2 is fast scratch.
struct Program {
  Span<const std::byte> stream;
  Span<const std::byte> weights;       // May be empty.
  std::uint32_t memory_bytes[3] = {};  // Of kMemoryRegions.
  std::uint8_t used_regions = 0;       // Bit i: the stream accesses region i.
  IoTable inputs;
  IoTable outputs;
};

// Checks `blob` for the NPU `npu`. Region 2 has `fast_scratch_bytes`; 0: none. If the result is
// kOk, a run of `program.stream` with regions of these sizes reads and writes no byte outside
// them, and writes no byte of region 0. The blob may lie at any address: Npu::CheckPlace()
// checks the addresses. On failure, this fills `failure`, and `program` must not be used.
//
// kBadModel     malformed, or an access outside its region.
// kUnsupported  well formed, but with a block, action or region that this driver does not
//               provide.
// kWrongNpu     compiled for another configuration than `npu`.
Status VerifyProgram(Span<const std::byte> blob, const NpuIdentity& npu,
                     std::uint32_t fast_scratch_bytes, Program& program, Failure& failure);

}  // namespace pilotlight::ethos_u
