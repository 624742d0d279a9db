// SPDX-License-Identifier: Apache-2.0
//
// Examines the files of a list on the board. The command line is "firmware LIST"; the list has one
// path per line. For each file, the board prints a line "CASE path: stage error log-lines". At the
// end, the board prints "END" and the number of files. A fault, a failed CHECK or a broken rule is
// printed instead, and ends the emulator with an exit code other than 0.
#include <executorch/runtime/platform/platform.h>
#include <executorch/runtime/platform/runtime.h>

#include <cstring>

#include "instant_npu.h"
#include "pilotlight/base/text.h"
#include "pilotlight/board_config.h"
#include "pilotlight/platform/console.h"
#include "pilotlight/platform/system.h"
#include "probes.h"
#include "program_case.h"
#include "semihosting.h"

namespace pilotlight::fuzz {
namespace {

constexpr std::uint32_t kExitFault = 2;
constexpr std::uint32_t kExitViolation = 3;
constexpr std::uint32_t kExitUsage = 4;

void Print(const char* text) {
  platform::ConsoleWrite({reinterpret_cast<const std::byte*>(text), std::strlen(text)});
}

[[noreturn]] void End(const char* what, const char* detail, std::uint32_t code) {
  Print(what);
  Print(detail);
  Print("\n");
  semihosting::Exit(code);
}

// The first 64 MiB of DDR, emptied for each file. Nothing is linked there.
class Arena final : public Memory {
 public:
  void* Allocate(std::size_t size_bytes, std::size_t align) override {
    std::size_t at = (used_bytes_ + align - 1) & ~(align - 1);
    // A gap, so that an access beyond one block does not reach the next one.
    at += align < kGapBytes ? kGapBytes : align;
    if (at > kSizeBytes || size_bytes > kSizeBytes - at) return nullptr;
    used_bytes_ = at + size_bytes;
    return reinterpret_cast<void*>(kOrigin + at);
  }
  void Reset() { used_bytes_ = 0; }
  static Span<std::byte> All() { return {reinterpret_cast<std::byte*>(kOrigin), kSizeBytes}; }

 private:
  static constexpr std::uintptr_t kOrigin = PILOTLIGHT_BOARD_MEMORY_DDR_ORIGIN;
  static constexpr std::size_t kSizeBytes = 64u << 20;
  static constexpr std::size_t kGapBytes = 32;
  static_assert(kSizeBytes <= PILOTLIGHT_BOARD_MEMORY_DDR_SIZE);
  std::size_t used_bytes_ = 0;
};

// A missing file, or too little memory for a file, is the caller's error.
Span<std::uint8_t> ReadFile(const char* path, Arena& arena) {
  const semihosting::File file(path, semihosting::File::Mode::kRead);
  std::size_t size_bytes = 0;
  if (!file.ok() || !file.Size(size_bytes)) End("cannot open ", path, kExitUsage);
  auto* const bytes = static_cast<std::uint8_t*>(arena.Allocate(size_bytes, 16));
  if (bytes == nullptr) End("no room for ", path, kExitUsage);
  if (size_bytes != 0 && !file.Read({reinterpret_cast<std::byte*>(bytes), size_bytes})) {
    End("cannot read ", path, kExitUsage);
  }
  return {bytes, size_bytes};
}

void ExamineFile(const char* path, Arena& arena) {
  arena.Reset();
  // Printed first, so that the output names the file if a fault follows.
  Print("CASE ");
  Print(path);
  Print(": ");
  const Span<std::uint8_t> file = ReadFile(path, arena);
  const std::uint32_t before = Digest(file.data(), file.size());
  const Outcome outcome = Examine({file.data(), file.size()}, ProbeKernels(), Limits{}, arena);
  if (Digest(file.data(), file.size()) != before) Violation("the file was written to");
  char line[64];
  Text(line) << NameOf(outcome.stage) << " " << std::uint64_t{outcome.error} << " "
             << std::uint64_t{outcome.log_lines} << "\n";
  Print(line);
}

void Run() {
  static char command_line[512];
  if (!semihosting::ReadCommandLine(command_line)) End("no command line", "", kExitUsage);
  const char* const list_path = std::strchr(command_line, ' ');
  if (list_path == nullptr) End("usage: firmware LIST", "", kExitUsage);
  static Arena list_arena;
  static Arena arena;
  // The list lies beyond the memory that the files use.
  list_arena.Allocate(0, 1u << 25);
  Span<std::uint8_t> list = ReadFile(list_path + 1, list_arena);
  char* at = reinterpret_cast<char*>(list.data());
  char* const end = at + list.size();
  std::uint64_t count = 0;
  while (at < end) {
    auto* const line_end =
        static_cast<char*>(std::memchr(at, '\n', static_cast<std::size_t>(end - at)));
    if (line_end == nullptr) End("the list does not end with a newline", "", kExitUsage);
    *line_end = '\0';
    ExamineFile(at, arena);
    ++count;
    at = line_end + 1;
  }
  char line[32];
  Text(line) << "END " << count << "\n";
  Print(line);
}

}  // namespace

void Violation(const char* what) { End("VIOLATION: ", what, kExitViolation); }

}  // namespace pilotlight::fuzz

void et_pal_emit_log_message(et_timestamp_t, et_pal_log_level_t, const char*, const char*,
                             std::size_t, const char*, std::size_t length) {
  pilotlight::fuzz::CountLogLine(length);
}

[[noreturn]] void et_pal_abort() { pilotlight::fuzz::Violation("the runtime aborted"); }

int main() {
  using namespace pilotlight;        // NOLINT: the app is this file
  using namespace pilotlight::fuzz;  // NOLINT: likewise
  if (const platform::FaultDump* const fault = platform::TakeFaultDump()) {
    char line[160];
    Text text(line);
    text << "FAULT of kind " << static_cast<std::uint32_t>(fault->kind) << " " << fault->check_text
         << ": pc ";
    text.Hex(fault->pc) << ", lr ";
    text.Hex(fault->lr) << ", cfsr ";
    text.Hex(fault->cfsr);
    End("\n", line, kExitFault);
  }
  platform::MapData(Arena::All());
  executorch::runtime::runtime_init();
  RegisterProbes();
  RegisterEthosU();
  Run();
  semihosting::Exit(0);
}
