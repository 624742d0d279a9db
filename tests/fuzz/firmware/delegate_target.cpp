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

// CONFIG and ID of an Ethos-U55-128, for which the seeds are compiled, and of an Ethos-U65-256.
constexpr NpuIdentity kNpus[] = {{0x00001807, 0x10066001}, {0x10002808, 0x10060001}};
constexpr std::size_t kFastScratchBytes[] = {0, 384 * 1024};

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

void CheckTensors(const IoTable& tensors, std::uint64_t scratch_bytes) {
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const IoTensor tensor = tensors[i];
    if (tensor.offset > scratch_bytes || tensor.size_bytes > scratch_bytes - tensor.offset) {
      Violation("a tensor reaches beyond the scratch region");
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
  CheckTensors(program.inputs, program.scratch_size_bytes);
  CheckTensors(program.outputs, program.scratch_size_bytes);
  const unsigned provided = fast_scratch_bytes == 0 ? 3u : 7u;
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
  int outcomes[2] = {};
  for (std::size_t i = 0; i < 2; ++i) {
    outcomes[i] = static_cast<int>(Check({blob, size}, kNpus[i], kFastScratchBytes[i]));
  }
  if (size != 0 && std::memcmp(blob, data, size) != 0) Violation("the blob was written to");
  std::snprintf(last_outcome, sizeof last_outcome, "U55-128 status %d, U65-256 status %d",
                outcomes[0], outcomes[1]);
  return 0;
}
