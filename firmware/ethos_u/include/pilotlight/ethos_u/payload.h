// SPDX-License-Identifier: Apache-2.0
//
// The driver payload that Vela writes ("COP1"): a magic number, then actions, in
// little-endian words. One action names the NPU that the stream was compiled for. One action
// carries the stream (command_stream.h). NOPs align the stream to 16 bytes.
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
//               misaligned stream, or a size that is not a multiple of 4 bytes.
// kUnsupported  an action that this driver does not know, or a second stream.
Status ParsePayload(Span<const std::byte> bytes, Payload& payload, Failure& failure);

// Whether a stream compiled for `built_for` runs on `hardware`. Product, MACs, command stream
// version and major architecture version must be equal. The hardware's minor version must not
// be lower than the stream's. The hardware must have a custom DMA if the stream needs one.
bool Runs(const NpuIdentity& built_for, const NpuIdentity& hardware);

}  // namespace pilotlight::ethos_u
