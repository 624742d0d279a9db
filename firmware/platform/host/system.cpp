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
FaultDump* KeptDump() {
  mailbox::Page* const page = mailbox::SharedPage();
  static_assert(sizeof(FaultDump) <= sizeof(page->kept));
  return page != nullptr ? reinterpret_cast<FaultDump*>(page->kept) : nullptr;
}

}  // namespace

void Reset() {
  std::fflush(nullptr);
  _exit(kResetExitCode);
}

const FaultDump* TakeFaultDump() {
  static FaultDump taken;
  FaultDump* const kept = KeptDump();
  if (kept == nullptr || kept->magic == 0) return nullptr;
  taken = *kept;
  std::memset(kept, 0, sizeof(*kept));
  return &taken;
}

// Linux protects a process's memory by itself.
void MapData(Span<std::byte>) {}

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
  platform::FaultDump dump{};
  platform::DescribeCheck(dump, file, line, expression);
  const char* const slash = std::strrchr(file, '/');
  std::fprintf(stderr, "%s:%d: CHECK failed: %s\n", slash != nullptr ? slash + 1 : file, line,
               expression);
  platform::FaultDump* const kept = platform::KeptDump();
  // By hand or in a unit test there is nobody to boot again: stop where a debugger can see it.
  if (kept == nullptr) std::abort();
  platform::SealFaultDump(dump);
  *kept = dump;
  platform::Reset();
}
