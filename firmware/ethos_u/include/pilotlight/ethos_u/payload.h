// SPDX-License-Identifier: Apache-2.0
//
// The driver payload that Vela writes, in little-endian words. It names the NPU that the stream was
// compiled for, and carries the stream (command_stream.h), aligned to 16 bytes. The first word is
// the format:
//
//   "COP1"  Actions follow. NOPs align the stream.
//   "COP2"  A header of four words with the size, one entry with its type and size, facts about
//           the stream, and the stream up to the end.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pilotlight/base/span.h"
#include "pilotlight/ethos_u/failure.h"

namespace pilotlight::ethos_u {

struct Payload {
  NpuIdentity built_for;
  Span<const std::byte> stream;
};

// Checks every length, because the payload may come from a damaged file. `payload.stream`
// points into `bytes`. On failure, sets status, cause and offset of `failure`.
//
// kBadModel     wrong magic number, truncated, no stream, no or a second configuration, a
//               misaligned stream, a wrong size, or a size that is not a multiple of 4 bytes.
// kUnsupported  a version, entry or action that this driver does not know, or a second stream.
Status ParsePayload(Span<const std::byte> bytes, Payload& payload, Failure& failure);

// Whether a stream compiled for `built_for` runs on `hardware`. Product, MACs, command stream
// version, major architecture version and, where a product states them, the numbers of its ports
// must be equal. The hardware's minor version must not
// be lower than the stream's. The hardware must have a custom DMA if the stream needs one.
bool Runs(const NpuIdentity& built_for, const NpuIdentity& hardware);

}  // namespace pilotlight::ethos_u
