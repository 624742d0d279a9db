// SPDX-License-Identifier: Apache-2.0
#include "pilotlight/ethos_u/program.h"

#include "pilotlight/ethos_u/command_stream.h"
#include "pilotlight/ethos_u/payload.h"

namespace pilotlight::ethos_u {

Status VerifyProgram(Span<const std::byte> bytes, const NpuIdentity& npu,
                     std::uint32_t fast_scratch_bytes, Program& program, Failure& failure) {
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
  blob.sizes.bytes[kFastScratchRegion] = fast_scratch_bytes;
  std::uint8_t used = 0;
  PILOTLIGHT_TRY(VerifyStream(payload.stream, payload.built_for, blob.sizes, used, failure));
  const std::uint32_t* const sizes = blob.sizes.bytes;
  program = {payload.stream,
             blob.weights,
             {sizes[kScratchRegion], sizes[kInputRegion], sizes[kOutputRegion]},
             used,
             blob.inputs,
             blob.outputs};
  return Status::kOk;
}

}  // namespace pilotlight::ethos_u
