// SPDX-License-Identifier: Apache-2.0
//
// A generic image. The host names a program and its inputs through semihosting. The app runs the
// program once and ends the emulator. The app reports a failure by the exit code, and by a console
// line that starts with "E " or "F ". Upstream's test harness looks for these lines.
#include <executorch/runtime/platform/platform.h>

#include <cstring>
#include <optional>

#include "command_line.h"
#include "pilotlight/base/text.h"
#include "pilotlight/board_config.h"
#include "pilotlight/ethos_u/backend.h"
#include "pilotlight/ethos_u/npu.h"
#include "pilotlight/platform/clock.h"
#include "pilotlight/platform/console.h"
#include "pilotlight/platform/npu_port.h"
#include "pilotlight/platform/system.h"
#include "program_run.h"
#include "semihosting.h"

extern "C" void pilotlight_register_operators(void);  // generated, operators.cpp

namespace pilotlight::executor_runner {
namespace {

constexpr std::uint32_t kExitFailed = 1;
constexpr std::uint32_t kExitFault = 2;

// The linker places nothing in this memory, so all of it is free. The emulator's loader would clear
// a linked section, which would take longer than everything else.
Span<std::byte> Ddr() {
  return {
      reinterpret_cast<std::byte*>(static_cast<std::uintptr_t>(PILOTLIGHT_BOARD_MEMORY_DDR_ORIGIN)),
      PILOTLIGHT_BOARD_MEMORY_DDR_SIZE};
}

// The object is in static storage, because a loaded program has pointers into itself.
ethos_u::Npu npu{platform::BoardNpuPort()};
std::optional<ProgramRun> program_run;

void Print(const char* text) {
  platform::ConsoleWrite({reinterpret_cast<const std::byte*>(text), std::strlen(text)});
}

void PrintLine(const char* level, const char* text) {
  Print(level);
  Print(" executor_runner: ");
  Print(text);
  Print("\n");
}

[[noreturn]] void Fail(const char* text) {
  PrintLine("E", text);
  semihosting::Exit(kExitFailed);
}

// Called at the first boot after a fault or a failed CHECK.
[[noreturn]] void ReportFault(const platform::FaultDump& fault) {
  char line[256];
  Text text(line);
  if (fault.kind == platform::FaultKind::kCheck) {
    text << "Assertion failed: " << fault.check_text << ", line " << fault.check_line;
  } else {
    text << "Hard fault of kind " << static_cast<std::uint32_t>(fault.kind) << ": pc ";
    text.Hex(fault.pc) << ", lr ";
    text.Hex(fault.lr) << ", cfsr ";
    text.Hex(fault.cfsr) << ", bfar ";
    text.Hex(fault.bfar);
  }
  PrintLine("F", line);
  semihosting::Exit(kExitFault);
}

void Run() {
  static char text[1024];
  if (!semihosting::ReadCommandLine(text)) {
    Fail("the command line is missing or longer than 1023 characters");
  }
  CommandLine command_line;
  if (const char* wrong = Parse(text, command_line)) Fail(wrong);

  if (npu.Open() != Status::kOk) {
    static char why[192];
    ethos_u::Describe(npu.failure(), why);
    Fail(why);
  }
  auto backend = ethos_u::RegisterBackend(npu);
  if (!backend.ok()) Fail("the runtime refused to register the delegate");

  pilotlight_register_operators();
  const std::uint64_t start_us = platform::NowUs();
  platform::MapData(Ddr());
  program_run.emplace(Ddr(), *backend.value());
  if (!program_run->Run(command_line)) Fail(program_run->failure());
  char line[128];
  Text(line) << "ran " << command_line.program << ": " << backend.value()->stats().runs
             << " NPU runs, " << platform::NowUs() - start_us << " us with files";
  PrintLine("I", line);
}

}  // namespace
}  // namespace pilotlight::executor_runner

// The runtime logs here why it refuses a program, such as an operator without a kernel. Its log
// levels are letters.
void et_pal_emit_log_message(et_timestamp_t, et_pal_log_level_t level, const char*, const char*,
                             std::size_t, const char* message, std::size_t) {
  const char letter[] = {static_cast<char>(level), '\0'};
  pilotlight::executor_runner::PrintLine(letter, message);
}

int main() {
  using namespace pilotlight;                   // NOLINT: the app is this file
  using namespace pilotlight::executor_runner;  // NOLINT: likewise
  if (const platform::FaultDump* const fault = platform::TakeFaultDump()) ReportFault(*fault);
  Run();
  semihosting::Exit(0);
}
