// SPDX-License-Identifier: Apache-2.0
//
// Runs one target without a fuzzer: files, all prefixes of files, and lists of mutations that
// tests/fuzz/mutations.py writes (its docstring has the format). It applies mutations in memory. If
// a case breaks a rule, crashes or does not end, this program writes the case to a file and prints
// the command that runs the case again.
//
//   loader_replay [--print] [--dump FOLDER] [--prefixes FILE] [--from N] [--cases LIST] [FILE...]
#include <fcntl.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "target.h"

namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr int kSecondsPerCase = 20;

const char* program = "";
std::string dump_folder = ".";
const Bytes* current = nullptr;
std::string current_name;
std::map<std::string, unsigned long> outcomes;
unsigned long executed = 0;
bool print = false;
// The first case of a list to run, to continue after a finding.
unsigned long first_case = 0;

[[noreturn]] void Die(const char* format, const char* what) {
  std::fprintf(stderr, format, what);
  std::fprintf(stderr, "\n");
  std::exit(2);
}

// Called when the process is about to end, so it must not allocate.
void DumpCase() {
  static bool dumped = false;
  if (dumped || current == nullptr) return;
  dumped = true;
  char path[512];
  std::snprintf(path, sizeof path, "%s/finding-%lu.bin", dump_folder.c_str(), executed);
  const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (file < 0 ||
      write(file, current->data(), current->size()) != static_cast<ssize_t>(current->size())) {
    std::fprintf(stderr, "cannot write %s\n", path);
    return;
  }
  close(file);
  std::fprintf(stderr, "FINDING in %s (%zu bytes)\nreproduce: PILOTLIGHT_FUZZ_LOG=1 %s %s\n",
               current_name.c_str(), current->size(), program, path);
}

void OnSignal(int number) {
  if (number == SIGPROF) {
    std::fprintf(stderr, "VIOLATION: no end within %d s of processor time\n", kSecondsPerCase);
  }
  DumpCase();
  _exit(1);
}

Bytes ReadFile(const char* path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) Die("cannot read %s", path);
  return Bytes((std::istreambuf_iterator<char>(file)), {});
}

// Limits this process's own processor time, so that no case ends only because the machine is busy.
void SetLimit(int seconds) {
  const struct itimerval limit = {{0, 0}, {seconds, 0}};
  setitimer(ITIMER_PROF, &limit, nullptr);
}

void RunOne(const Bytes& bytes, const std::string& name) {
  current = &bytes;
  current_name = name;
  ++executed;
  SetLimit(kSecondsPerCase);
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
  SetLimit(0);
  const char* const outcome = pilotlight::fuzz::LastOutcome();
  ++outcomes[outcome];
  if (print) std::printf("%s: %s\n", name.c_str(), outcome);
  current = nullptr;
}

void RunPrefixes(const char* path) {
  const Bytes whole = ReadFile(path);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    RunOne(Bytes(whole.begin(), whole.begin() + static_cast<long>(size)),
           std::string(path) + ", prefix of " + std::to_string(size));
  }
}

class ListReader {
 public:
  explicit ListReader(const char* path) : bytes_(ReadFile(path)), path_(path) {}
  std::uint64_t Number(std::size_t width) {
    if (bytes_.size() - at_ < width) Die("%s is cut short", path_);
    std::uint64_t value = 0;
    for (std::size_t i = width; i > 0; --i) value = value << 8 | bytes_[at_ + i - 1];
    at_ += width;
    return value;
  }
  std::string Text(std::size_t size) {
    if (bytes_.size() - at_ < size) Die("%s is cut short", path_);
    at_ += size;
    return std::string(bytes_.begin() + static_cast<long>(at_ - size),
                       bytes_.begin() + static_cast<long>(at_));
  }

 private:
  Bytes bytes_;
  const char* path_;
  std::size_t at_ = 0;
};

void RunCases(const char* path) {
  ListReader list(path);
  if (list.Text(4) != "PLM1") Die("%s is no list of mutations", path);
  struct Base {
    std::string path;
    Bytes bytes;
  };
  std::vector<Base> bases(list.Number(2));
  for (Base& base : bases) {
    base.path = list.Text(list.Number(2));
    base.bytes = ReadFile(base.path.c_str());
  }
  const std::uint64_t count = list.Number(4);
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t index = list.Number(2);
    if (index >= bases.size()) Die("%s names a base that it lacks", path);
    Bytes bytes = bases[index].bytes;
    const std::uint64_t edits = list.Number(1);
    for (std::uint64_t e = 0; e < edits; ++e) {
      const std::uint64_t at = list.Number(4);
      const std::uint64_t width = list.Number(1);
      const std::uint64_t value = list.Number(8);
      if (width > 8 || at > bytes.size() || width > bytes.size() - at) {
        Die("%s edits beyond the end of a base", path);
      }
      for (std::uint64_t b = 0; b < width; ++b) {
        bytes[at + b] = static_cast<std::uint8_t>(value >> (8 * b));
      }
    }
    if (i < first_case) continue;
    RunOne(bytes, bases[index].path + ", mutation " + std::to_string(i));
  }
}

}  // namespace

// Every report of a sanitizer raises SIGABRT, which calls OnSignal().
extern "C" const char* __asan_default_options() { return "abort_on_error=1"; }
extern "C" const char* __ubsan_default_options() { return "abort_on_error=1:print_stacktrace=1"; }

int main(int argc, char** argv) {
  program = argv[0];
  struct sigaction action{};
  action.sa_handler = OnSignal;
  sigaction(SIGPROF, &action, nullptr);
  sigaction(SIGABRT, &action, nullptr);
  for (int i = 1; i < argc; ++i) {
    const bool has_value = i + 1 < argc;
    if (std::strcmp(argv[i], "--print") == 0) {
      print = true;
    } else if (std::strcmp(argv[i], "--dump") == 0 && has_value) {
      dump_folder = argv[++i];
    } else if (std::strcmp(argv[i], "--from") == 0 && has_value) {
      first_case = std::strtoul(argv[++i], nullptr, 10);
    } else if (std::strcmp(argv[i], "--prefixes") == 0 && has_value) {
      RunPrefixes(argv[++i]);
    } else if (std::strcmp(argv[i], "--cases") == 0 && has_value) {
      RunCases(argv[++i]);
    } else {
      RunOne(ReadFile(argv[i]), argv[i]);
    }
  }
  for (const auto& [outcome, count] : outcomes) {
    std::fprintf(stderr, "%8lu  %s\n", count, outcome.c_str());
  }
  std::fprintf(stderr, "%8lu  executions\n", executed);
  return 0;
}
