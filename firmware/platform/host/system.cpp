// SPDX-License-Identifier: Apache-2.0
//
// A reset ends the process with a code that the supervisor answers with a new one. What has to
// survive lies in the shared file, behind the mailbox page.
#include "pilotlight/platform/system.h"

#include <sys/random.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "npu/mailbox_line.h"
#include "pilotlight/base/check.h"
#include "pilotlight/board_config.h"

namespace pilotlight::platform {
namespace {

constexpr int kResetExitCode = 3;
constexpr std::uint32_t kKindCheck = 6;

FaultRecord* KeptRecord() {
  mailbox::Page* const page = mailbox::SharedPage();
  static_assert(sizeof(FaultRecord) <= sizeof(page->kept));
  return page != nullptr ? reinterpret_cast<FaultRecord*>(page->kept) : nullptr;
}

}  // namespace

void Reset() {
  std::fflush(nullptr);
  _exit(kResetExitCode);
}

FaultRecord TakeFaultRecord() {
  FaultRecord record{};
  if (FaultRecord* const kept = KeptRecord(); kept != nullptr) {
    record = *kept;
    std::memset(kept, 0, sizeof(*kept));
  }
  return record;
}

// Linux grows the stack page by page and keeps no mark of it: 0 stands for "not known".
std::size_t StackHighWaterBytes() { return 0; }
std::size_t StackSizeBytes() { return PILOTLIGHT_BOARD_STACK_BYTES; }

std::uint32_t BootId() {
  static const std::uint32_t id = [] {
    std::uint32_t drawn = 0;
    if (getrandom(&drawn, sizeof(drawn), 0) != sizeof(drawn)) std::abort();
    return drawn;
  }();
  return id;
}

}  // namespace pilotlight::platform

void pilotlight::CheckFailed(const char* file, int line, const char* expression) {
  const char* const slash = std::strrchr(file, '/');
  const char* const name = slash != nullptr ? slash + 1 : file;
  std::fprintf(stderr, "%s:%d: CHECK failed: %s\n", name, line, expression);
  platform::FaultRecord* const kept = platform::KeptRecord();
  // By hand or in a unit test there is nobody to boot again: stop where a debugger can see it.
  if (kept == nullptr) std::abort();
  kept->valid = true;
  kept->kind = platform::kKindCheck;
  kept->check_line = static_cast<std::uint32_t>(line);
  std::snprintf(kept->check_text, sizeof(kept->check_text), "%s: %s", name, expression);
  platform::Reset();
}
