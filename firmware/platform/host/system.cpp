// SPDX-License-Identifier: Apache-2.0
//
// A reset ends the process with an exit code that makes the supervisor start a new one. Data that
// must survive is in the mailbox page of the shared file.
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

// Linux protects the memory of a process.
void MapData(Span<std::byte>) {}

// Linux keeps no high-water mark of the stack. 0 means "not known".
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
  // Without a supervisor nothing would start the process again. Stop where a debugger sees it.
  if (kept == nullptr) std::abort();
  platform::SealFaultDump(dump);
  *kept = dump;
  platform::Reset();
}
