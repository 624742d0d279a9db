// SPDX-License-Identifier: Apache-2.0
//
// The probe on a host: `probe COMMANDS`, and the transcript on standard output.
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include <executorch/runtime/platform/runtime.h>

#include "commands.h"
#include "header_calls.h"
#include "machine.h"
#include "transcript.h"

extern "C" void __gcov_dump() __attribute__((weak));

namespace conformance {
namespace {

constexpr std::size_t kMemoryBytes = 64u << 20;
// Ends an endless loop in a program. The limit is for the child's own processor time, so a busy
// machine does not matter.
constexpr int kTimeLimitS = 30;

alignas(64) std::uint8_t memory[kMemoryBytes];
std::uint8_t text[1u << 20];

}  // namespace

Transcript out([](const char* bytes, std::size_t length) {
  std::fwrite(bytes, 1, length, stdout);
  std::fflush(stdout);
});

executorch::runtime::Span<std::uint8_t> AllMemory() { return {memory, kMemoryBytes}; }

std::int64_t FileSize(const char* path) {
  std::FILE* const file = std::fopen(path, "rb");
  if (file == nullptr) return -1;
  std::fseek(file, 0, SEEK_END);
  const long size = std::ftell(file);
  std::fclose(file);
  return size;
}

bool ReadFile(const char* path, executorch::runtime::Span<std::uint8_t> into) {
  std::FILE* const file = std::fopen(path, "rb");
  if (file == nullptr) return false;
  const std::size_t count = std::fread(into.data(), 1, into.size(), file);
  std::fclose(file);
  return count == into.size();
}

void EndAction() {
  out.Flush();
  if (__gcov_dump != nullptr) __gcov_dump();
  _exit(0);
}

void Isolated(void (*action)(const char* argument), const char* argument) {
  out.Flush();
  const pid_t child = fork();
  if (child == 0) {
    const struct itimerval limit = {{0, 0}, {kTimeLimitS, 0}};
    setitimer(ITIMER_PROF, &limit, nullptr);
    action(argument);
    EndAction();
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) out << "\ncrashed\n";
}

}  // namespace conformance

#if defined(REGISTER_OPERATORS)  // The wheel's operators register themselves.
extern "C" void pilotlight_register_operators(void);
#endif

int main(int argc, char** argv) {
  using namespace conformance;  // NOLINT: this is the program
  const std::int64_t size = argc == 2 ? FileSize(argv[1]) : -1;
  if (size < 0 || size > static_cast<std::int64_t>(sizeof text)) return 2;
  const auto length = static_cast<std::size_t>(size);
  if (!ReadFile(argv[1], {text, length})) return 2;
  UseProbePlatform();
  executorch::runtime::runtime_init();
#if defined(REGISTER_OPERATORS)
  pilotlight_register_operators();
#endif
  const bool obeyed = Obey({reinterpret_cast<char*>(text), length});
  out.Flush();
  return obeyed ? 0 : 2;
}
