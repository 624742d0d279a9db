// SPDX-License-Identifier: Apache-2.0
#include "pilotlight/ethos_u/program.h"

#include "pilotlight/ethos_u/payload.h"

namespace pilotlight::ethos_u {

Status VerifyProgram(Span<const std::byte> bytes, const NpuIdentity& npu,
                     std::size_t fast_scratch_bytes, Program& program, Failure& failure) {
  failure = {};
  Blob blob;
  BlobError blob_error;
  if (const Status status = ParseBlob(bytes, blob, blob_error); status != Status::kOk) {
    failure.status = status;
    failure.cause = Cause::kBadBlob;
    failure.reason = blob_error.reason;
    failure.offset = static_cast<std::uint32_t>(blob_error.offset);
    return status;
  }
  Payload payload;
  PILOTLIGHT_TRY(ParsePayload(blob.payload, payload, failure));
  if (!Runs(payload.built_for, npu)) {
    failure.status = Status::kWrongNpu;
    failure.cause = Cause::kOtherNpu;
    failure.built_for = payload.built_for;
    failure.hardware = npu;
    return failure.status;
  }
  (void)fast_scratch_bytes;
  program = {payload.stream,       blob.weights, blob.scratch_size_bytes,
             payload.used_regions, blob.inputs,  blob.outputs};
  return Status::kOk;
}

}  // namespace pilotlight::ethos_u
