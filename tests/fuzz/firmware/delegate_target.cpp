// SPDX-License-Identifier: Apache-2.0
//
// Input: an Ethos-U delegate's blob.
#include <cstdio>
#include <cstring>

#include "heap_memory.h"
#include "pilotlight/ethos_u/program.h"
#include "probes.h"
#include "target.h"

namespace pilotlight::fuzz {
namespace {

using ethos_u::Failure;
using ethos_u::IoTable;
using ethos_u::IoTensor;
using ethos_u::NpuIdentity;

// CONFIG and ID of an Ethos-U55-128 and an Ethos-U85-256, for which the seeds are compiled, and of
// an Ethos-U65-256.
constexpr NpuIdentity kNpus[] = {
    {0x00001807, 0x10066001}, {0x10002808, 0x10060001}, {0x20000118, 0x20007000}};
constexpr std::size_t kFastScratchBytes[] = {0, 384 * 1024, 64 * 1024};
constexpr std::size_t kNpuCount = sizeof(kNpus) / sizeof(kNpus[0]);

char last_outcome[64] = "";
volatile std::uint32_t sink;

void CheckInside(Span<const std::byte> bytes, Span<const std::byte> blob) {
  if (bytes.empty()) return;
  if (bytes.data() < blob.data() || bytes.size() > blob.size() ||
      static_cast<std::size_t>(bytes.data() - blob.data()) > blob.size() - bytes.size()) {
    Violation("a part of the blob lies outside of it");
  }
  sink = Digest(bytes.data(), bytes.size());
}

// own_bytes: of the tensors' own region.
void CheckTensors(const IoTable& tensors, std::uint64_t scratch_bytes, std::uint32_t own_region,
                  std::uint64_t own_bytes) {
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const IoTensor tensor = tensors[i];
    const bool own = tensor.region == own_region;
    if (!own && tensor.region != ethos_u::kScratchRegion) Violation("a tensor in another region");
    const std::uint64_t bytes = own ? own_bytes : scratch_bytes;
    if (tensor.offset > bytes || tensor.size_bytes > bytes - tensor.offset) {
      Violation("a tensor reaches beyond its region");
    }
  }
}

// Returns the status of VerifyProgram().
Status Check(Span<const std::byte> blob, const NpuIdentity& npu, std::size_t fast_scratch_bytes) {
  ethos_u::Program program;
  Failure failure;
  const Status status = ethos_u::VerifyProgram(blob, npu, fast_scratch_bytes, program, failure);
  if (status != Status::kOk) {
    char text[192] = "";
    if (failure.status != status) Violation("the failure has another status than was returned");
    if (ethos_u::Describe(failure, text) == 0) Violation("a refusal without a reason");
    return status;
  }
  if (program.stream.empty() || program.stream.size() % 4 != 0) Violation("no command stream");
  CheckInside(program.stream, blob);
  CheckInside(program.weights, blob);
  const auto [scratch_bytes, input_bytes, output_bytes] = program.memory_bytes;
  CheckTensors(program.inputs, scratch_bytes, ethos_u::kInputRegion, input_bytes);
  CheckTensors(program.outputs, scratch_bytes, ethos_u::kOutputRegion, output_bytes);
  unsigned provided = 1u;  // Region 0 may be empty.
  if (scratch_bytes != 0) provided |= 1u << ethos_u::kScratchRegion;
  if (fast_scratch_bytes != 0) provided |= 1u << ethos_u::kFastScratchRegion;
  if (input_bytes != 0) provided |= 1u << ethos_u::kInputRegion;
  if (output_bytes != 0) provided |= 1u << ethos_u::kOutputRegion;
  if ((program.used_regions & ~provided) != 0) Violation("a region that nobody provides");
  return status;
}

}  // namespace

const char* LastOutcome() { return last_outcome; }

}  // namespace pilotlight::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pilotlight;        // NOLINT: the target is this function
  using namespace pilotlight::fuzz;  // NOLINT: likewise
  HeapMemory memory;
  auto* const blob = static_cast<std::byte*>(memory.Allocate(size, 16));
  if (blob == nullptr) return 0;
  if (size != 0) std::memcpy(blob, data, size);
  int outcomes[kNpuCount] = {};
  for (std::size_t i = 0; i < kNpuCount; ++i) {
    outcomes[i] = static_cast<int>(Check({blob, size}, kNpus[i], kFastScratchBytes[i]));
  }
  if (size != 0 && std::memcmp(blob, data, size) != 0) Violation("the blob was written to");
  std::snprintf(last_outcome, sizeof last_outcome,
                "U55-128 status %d, U65-256 status %d, U85-256 status %d", outcomes[0], outcomes[1],
                outcomes[2]);
  return 0;
}
