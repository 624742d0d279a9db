// SPDX-License-Identifier: Apache-2.0
//
// Input: a .pte. The operators are the firmware's kernels if PILOTLIGHT_FUZZ_KERNELS is defined,
// otherwise probes.
#include <executorch/runtime/core/error.h>
#include <executorch/runtime/platform/runtime.h>

#include <cstdio>
#include <cstring>

#include "heap_memory.h"
#include "instant_npu.h"
#include "probes.h"
#include "program_case.h"
#include "target.h"

extern "C" void pilotlight_register_operators();

namespace pilotlight::fuzz {
namespace {

char last_outcome[64] = "";

#ifdef PILOTLIGHT_FUZZ_KERNELS
executorch::runtime::Span<const executorch::runtime::Kernel> Kernels() { return {}; }
void RegisterKernels() { pilotlight_register_operators(); }
#else
executorch::runtime::Span<const executorch::runtime::Kernel> Kernels() { return ProbeKernels(); }
void RegisterKernels() {}
#endif

void Open() {
  executorch::runtime::runtime_init();
  RegisterKernels();
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
  // A copy of exactly the file's size: a sanitizer sees a read beyond it, and the comparison with
  // the caller's bytes below shows a write into it.
  auto* const file = static_cast<std::uint8_t*>(memory.Allocate(size, 16));
  if (file == nullptr) return 0;
  if (size != 0) std::memcpy(file, data, size);
  const Outcome outcome = Examine({file, size}, Kernels(), Limits{}, memory);
  if (size != 0 && std::memcmp(file, data, size) != 0) Violation("the file was written to");
  std::snprintf(last_outcome, sizeof last_outcome, "%s 0x%02x %u", NameOf(outcome.stage),
                static_cast<unsigned>(outcome.error), static_cast<unsigned>(outcome.log_lines));
  return 0;
}
