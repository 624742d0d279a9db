// SPDX-License-Identifier: Apache-2.0
//
// The conformance probe on a board: "probe COMMANDS TRANSCRIPT". Both are files of the host. The
// emulator ends with exit code 0 if all commands were run.
#include <executorch/runtime/platform/runtime.h>

#include <cstring>
#include <optional>

#include "commands.h"
#include "header_calls.h"
#include "machine.h"
#include "pilotlight/base/text.h"
#include "pilotlight/board_config.h"
#include "pilotlight/platform/console.h"
#include "pilotlight/platform/system.h"
#include "semihosting.h"
#include "transcript.h"

extern "C" void pilotlight_register_operators(void);  // generated, operators.cpp

namespace conformance {
namespace {

using pilotlight::semihosting::Exit;
using pilotlight::semihosting::File;

constexpr std::uint32_t kExitUsage = 2;
constexpr std::uint32_t kExitFault = 3;
constexpr std::uint32_t kExitAborted = 4;

// Nothing is linked into DDR. DDR holds the commands, and after them the memory that the probe
// allocates.
constexpr std::size_t kCommandBytes = 1u << 20;

std::uint8_t* Ddr() {
  return reinterpret_cast<std::uint8_t*>(
      static_cast<std::uintptr_t>(PILOTLIGHT_BOARD_MEMORY_DDR_ORIGIN));
}

std::optional<File> transcript;

}  // namespace

Transcript out([](const char* bytes, std::size_t length) {
  if (transcript) (void)transcript->Write({reinterpret_cast<const std::byte*>(bytes), length});
});

executorch::runtime::Span<std::uint8_t> AllMemory() {
  return {Ddr() + kCommandBytes, PILOTLIGHT_BOARD_MEMORY_DDR_SIZE - kCommandBytes};
}

std::int64_t FileSize(const char* path) {
  const File file(path, File::Mode::kRead);
  std::size_t size = 0;
  return file.ok() && file.Size(size) ? static_cast<std::int64_t>(size) : -1;
}

bool ReadFile(const char* path, executorch::runtime::Span<std::uint8_t> into) {
  const File file(path, File::Mode::kRead);
  return file.ok() && file.Read({reinterpret_cast<std::byte*>(into.data()), into.size()});
}

// A crash ends the whole run. The next boot finds its record.
void Isolated(void (*action)(const char* argument), const char* argument) { action(argument); }

void EndAction() {
  out.Flush();
  if (transcript) (void)transcript->Close();
  Exit(kExitAborted);
}

namespace {

// Ends `word` at its next blank and returns the text after it; null when there is no blank.
char* NextWord(char* word) {
  char* const blank = std::strchr(word, ' ');
  if (blank == nullptr) return nullptr;
  *blank = '\0';
  return blank + 1;
}

void Run() {
  static char line[256];
  if (!pilotlight::semihosting::ReadCommandLine(line)) Exit(kExitUsage);
  char* const commands = NextWord(line);
  char* const result = commands == nullptr ? nullptr : NextWord(commands);
  if (result == nullptr) Exit(kExitUsage);

  pilotlight::platform::MapData(
      {reinterpret_cast<std::byte*>(Ddr()), PILOTLIGHT_BOARD_MEMORY_DDR_SIZE});
  const std::int64_t size = FileSize(commands);
  if (size < 0 || size > static_cast<std::int64_t>(kCommandBytes)) Exit(kExitUsage);
  const auto length = static_cast<std::size_t>(size);
  if (!ReadFile(commands, {Ddr(), length})) Exit(kExitUsage);
  transcript.emplace(result, File::Mode::kWrite);
  UseProbePlatform();
  executorch::runtime::runtime_init();
  pilotlight_register_operators();
  const bool obeyed = Obey({reinterpret_cast<char*>(Ddr()), length});
  out.Flush();
  Exit(obeyed && transcript->Close() ? 0 : kExitUsage);
}

}  // namespace
}  // namespace conformance

int main() {
  if (const auto* fault = pilotlight::platform::TakeFaultDump()) {
    // Prints the place of the fault on the console, as the executor runner does.
    char line[96];
    pilotlight::Text text(line);
    text << "F probe: fault at ";
    text.Hex(fault->pc) << ", lr ";
    text.Hex(fault->lr) << ", cfsr ";
    text.Hex(fault->cfsr) << "\n";
    pilotlight::platform::ConsoleWrite(
        {reinterpret_cast<const std::byte*>(line), std::strlen(line)});
    pilotlight::semihosting::Exit(conformance::kExitFault);
  }
  conformance::Run();
}
