// SPDX-License-Identifier: Apache-2.0
//
// All of a delegate's blob, checked once: the blocks (blob.h), the driver
// payload in it (payload.h) and every access that its command stream makes
// (command_stream.h). No hardware is touched and nothing is allocated, so this
// is also what fuzzers and host tools call.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pilotlight/base/span.h"
#include "pilotlight/ethos_u/blob.h"
#include "pilotlight/ethos_u/failure.h"

namespace pilotlight::ethos_u {

// What a run needs, pointing into the blob. Region 0 is `weights`, region 1 a
// scratch area of `scratch_size_bytes`, region 2 fast scratch.
struct Program {
  Span<const std::byte> stream;
  Span<const std::byte> weights;  // May be empty.
  std::uint32_t scratch_size_bytes = 0;
  std::uint8_t used_regions = 0;  // Bit i: the stream accesses region i.
  IoTable inputs;
  IoTable outputs;
};

// Checks `blob` for the NPU `npu`, with `fast_scratch_bytes` of region 2 (0:
// none). Once this returns kOk, running `program.stream` with regions of these
// sizes reads and writes nothing outside of them and writes nothing in region 0.
// The blob may lie at any address; what the hardware asks of addresses is not
// checked here. On failure, fills `failure` and leaves `program` unusable.
//
// kBadModel     malformed, or an access leaves its region.
// kUnsupported  well formed, but with a block, action, command or region that
//               this driver does not provide.
// kWrongNpu     compiled for another configuration than `npu`.
Status VerifyProgram(Span<const std::byte> blob, const NpuIdentity& npu,
                     std::uint32_t fast_scratch_bytes, Program& program, Failure& failure);

}  // namespace pilotlight::ethos_u
