// SPDX-License-Identifier: Apache-2.0
//
// What went wrong with the NPU, as numbers a program can act on, and as one
// line of text for a person.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pilotlight/base/span.h"
#include "pilotlight/base/status.h"

namespace pilotlight::ethos_u {

// An NPU configuration: the CONFIG and ID registers of hardware, or the two
// words of the same layout that Vela puts in front of a command stream.
struct NpuIdentity {
  std::uint32_t config = 0;
  std::uint32_t id = 0;

  std::uint32_t product() const;
  const char* family() const;  // Arm's name, such as "ethos-u55".
  std::uint32_t macs() const;
};

enum class Cause : std::uint8_t {
  kNone,
  kNoAnswer,          // A register access went unanswered; see NpuPort::alive().
  kResetStuck,        // STATUS.reset_status never fell.
  kWrongPrivilege,    // PROT after reset is not what was asked for.
  kUnknownProduct,    // CONFIG names a product this driver does not know.
  kBadBlob,           // `reason`, `offset` in the delegate's blob.
  kBadPayload,        // `offset`: where the driver payload stops making sense.
  kForeignPayload,    // `offset`: a driver action this driver does not know.
  kBadCommand,        // `reason`, `offset` in the command stream.
  kBadAccess,         // `channel`, `begin`, `end`, `region`, `size_bytes`, `offset` in the stream.
  kOtherNpu,          // `built_for` and `hardware` differ.
  kMissingRegion,     // `region`: used by the stream (at `offset`), not given by the caller.
  kMisalignedStream,  // `address`.
  kMisalignedRegion,  // `region`, `address`.
  kUnreachable,       // `region` (or kStreamRegion), `address`: outside what the NPU sees.
  kTooLate,           // The deadline had passed before the NPU was started.
  kNoInterrupt,       // Deadline passed; `npu_status`, `queue_read` tell how far it got.
  kBusFault,          // `npu_status` names interface and channel.
  kParseFault,        // `queue_read` is at or after the offending command.
  kWeightFault,       // The weight decoder met a malformed weight stream.
  kEccFault,
  kStoppedEarly,  // No fault, not running, and the stream's end was not reached.
};

struct Failure {
  static constexpr std::uint32_t kStreamRegion = ~0u;  // `region`: the stream itself.

  // `channel` is a number of STATUS.faulting_channel, or this one.
  static constexpr std::uint8_t kIfm2Channel = 16;

  Status status = Status::kOk;
  Cause cause = Cause::kNone;
  bool recovered = false;   // The NPU was reset after the failure and is usable.
  const char* reason = "";  // A literal.
  std::uint32_t region = 0;
  std::uint32_t offset = 0;
  std::uint64_t address = 0;
  std::int64_t begin = 0;  // Bytes that a command accesses, relative to the region,
  std::int64_t end = 0;    // up to this one, which it does not.
  std::uint32_t size_bytes = 0;
  std::uint8_t channel = 0;
  std::uint32_t npu_status = 0;  // STATUS when the failure was seen.
  std::uint32_t queue_read = 0;  // QREAD: byte offset in the command stream.
  NpuIdentity built_for;
  NpuIdentity hardware;
};

// Writes one line, NUL-terminated and cut to fit, and returns its length.
std::size_t Describe(const Failure& failure, Span<char> into);

}  // namespace pilotlight::ethos_u
