// SPDX-License-Identifier: Apache-2.0
//
// The driver payload that Vela writes ("COP1"): little-endian words, a magic
// number, then actions. One names the NPU that the stream was compiled for, one
// carries the stream (command_stream.h), NOPs pad it to a multiple of 16 bytes.
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

// Checks every length; the payload may come from a damaged file. Result parts
// point into `bytes`. On failure fills status, cause and offset of `failure`.
//
// kBadModel     wrong magic, truncated, no stream, no configuration, or not a
//               multiple of 4 bytes.
// kUnsupported  an action this driver does not know, or a second stream.
Status ParsePayload(Span<const std::byte> bytes, Payload& payload, Failure& failure);

// Whether a stream compiled for `built_for` runs on `hardware`: product, MACs
// and command stream version equal, a custom DMA there if asked for, same
// architecture major, and the hardware's minor at least the stream's.
bool Runs(const NpuIdentity& built_for, const NpuIdentity& hardware);

}  // namespace pilotlight::ethos_u
