// SPDX-License-Identifier: Apache-2.0
//
// Input: a .pte.
#include <executorch/runtime/platform/runtime.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "heap_memory.h"
#include "instant_npu.h"
#include "probes.h"
#include "program_case.h"
#include "target.h"

namespace pilotlight::fuzz {
namespace {

// Set to find out how many refusals say nothing, or too much.
const bool survey = std::getenv("PILOTLIGHT_FUZZ_SURVEY") != nullptr;

char last_outcome[64] = "";

void Open() {
  executorch::runtime::runtime_init();
  RegisterProbes();
  RegisterEthosU();
}

}  // namespace

const char* LastOutcome() { return last_outcome; }

}  // namespace pilotlight::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pilotlight::fuzz;  // NOLINT: the target is this function
  static const bool opened = (Open(), true);
  (void)opened;
  HeapMemory memory;
  // Exactly as long as the file, so that a read behind it is seen, and apart from the caller's copy,
  // so that a write into it is.
  auto* const file = static_cast<std::uint8_t*>(memory.Allocate(size, 16));
  if (file == nullptr) return 0;
  if (size != 0) std::memcpy(file, data, size);
  const Outcome outcome = Examine({file, size}, Limits{}, memory);
  if (size != 0 && std::memcmp(file, data, size) != 0) Violation("the file was written to");
  if (outcome.error != 0 && outcome.log_lines != 1 && !survey) {
    Violation(outcome.log_lines == 0 ? "a refusal without a line in the log"
                                     : "a refusal with several lines in the log");
  }
  std::snprintf(last_outcome, sizeof last_outcome, "%s 0x%02x %u", NameOf(outcome.stage),
                static_cast<unsigned>(outcome.error), static_cast<unsigned>(outcome.log_lines));
  return 0;
}
