// SPDX-License-Identifier: Apache-2.0
//
// Why a program was refused or a run failed: as numbers for a program, and as one line of
// text for a person.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pilotlight/base/span.h"
#include "pilotlight/base/status.h"

namespace pilotlight::ethos_u {

// An NPU configuration: the registers CONFIG and ID of the hardware, or the two words of the
// same layout that Vela writes before a command stream.
struct NpuIdentity {
  std::uint32_t config = 0;
  std::uint32_t id = 0;

  std::uint32_t product() const;
  const char* family() const;  // Arm's name, such as "ethos-u55".
  std::uint32_t macs() const;
};

enum class Cause : std::uint8_t {
  kNone,
  kNoAnswer,          // No answer to a register access; see NpuPort::alive().
  kResetStuck,        // STATUS.reset_status stayed 1.
  kWrongPrivilege,    // PROT after a reset is not the requested value.
  kUnknownProduct,    // CONFIG names a product that this image does not support.
  kBadBlob,           // `reason`, `offset` in the delegate's blob.
  kBadPayload,        // `offset` of the malformed part of the driver payload.
  kForeignPayload,    // `offset` of an action that this driver does not know.
  kBadCommand,        // `reason`, `offset` in the command stream.
  kBadAccess,         // `channel`, `begin`, `end`, `region`, `size_bytes`, `offset` in the stream.
  kOtherNpu,          // `built_for` and `hardware` differ.
  kMissingRegion,     // The stream uses `region` (at `offset`), and the caller has not given it.
  kMisalignedStream,  // `address`.
  kMisalignedRegion,  // `region`, `address`.
  kUnreachable,       // `region` (or kStreamRegion), `address`: the NPU cannot reach it.
  kTooLate,           // The deadline had passed before the NPU was started.
  kNoInterrupt,       // The deadline passed; `npu_status`, `queue_read` show the progress.
  kBusFault,          // `npu_status` names interface and channel.
  kParseFault,        // `queue_read` is at or after the malformed command.
  kWeightFault,       // The weight decoder found a malformed weight stream.
  kBranchFault,       // The NPU refused the target of a branch.
  kEccFault,
  kStoppedEarly,  // Stopped without a fault before the end of the stream.
};

struct Failure {
  static constexpr std::uint32_t kStreamRegion = ~0u;  // In `region`: the command stream.

  // `channel` has the numbers of STATUS.faulting_channel, and this one.
  static constexpr std::uint8_t kIfm2Channel = 16;

  Status status = Status::kOk;
  Cause cause = Cause::kNone;
  bool recovered = false;   // The NPU was reset after the failure. It is usable.
  const char* reason = "";  // A literal.
  std::uint32_t region = 0;
  std::uint32_t offset = 0;
  std::uint64_t address = 0;
  // Bytes that a command accesses, relative to the region: begin <= byte < end.
  std::int64_t begin = 0;
  std::int64_t end = 0;
  std::uint32_t size_bytes = 0;  // Of the region.
  std::uint8_t channel = 0;
  std::uint32_t npu_status = 0;  // STATUS when the driver saw the failure.
  std::uint32_t queue_read = 0;  // QREAD: byte offset in the command stream.
  NpuIdentity built_for;
  NpuIdentity hardware;
};

// Writes one line into `into`, cut to fit and NUL-terminated. Returns its length.
std::size_t Describe(const Failure& failure, Span<char> into);

}  // namespace pilotlight::ethos_u
