// SPDX-License-Identifier: Apache-2.0
#include "host/shared_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <climits>
#include <cstdio>
#include <cstdlib>

#include "pilotlight/board_config.h"
#include "pilotlight/platform/npu_port.h"

// firmware/platform/link/host.ld
extern "C" {
extern std::uint8_t __model_start[], __model_end[];
extern std::uint8_t __tensor_arena_start[], __tensor_arena_end[];
}

namespace pilotlight::platform::host {
namespace {

constexpr std::uint64_t kFirst = PILOTLIGHT_BOARD_SHARED_ORIGIN;
constexpr std::uint64_t kModelAddress = PILOTLIGHT_BOARD_MEMORY_DDR_ORIGIN;

std::uint8_t* whole_file = nullptr;

std::uint64_t ModelBytes() { return static_cast<std::uint64_t>(__model_end - __model_start); }
std::uint64_t ArenaBytes() {
  return static_cast<std::uint64_t>(__tensor_arena_end - __tensor_arena_start);
}

[[noreturn]] void GiveUp(const char* what) {
  std::perror(what);
  std::exit(2);
}

void LayOver(int file, std::uint8_t* start, std::uint64_t size_bytes,
             std::uint64_t device_address) {
  if (size_bytes == 0) return;
  void* const mapped = mmap(start, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file,
                            static_cast<off_t>(device_address - kFirst));
  if (mapped == MAP_FAILED) GiveUp("mapping a section onto the shared file");
}

// Priority 101 is the earliest that programs may use, so no static object can read the model first.
__attribute__((constructor(101))) void StartSharedMemory() {
  const int file = InheritedDescriptor("PILOTLIGHT_SHARED_FD");
  if (file < 0) return;
  void* const mapped =
      mmap(nullptr, PILOTLIGHT_BOARD_SHARED_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (mapped == MAP_FAILED) GiveUp("mapping the shared file");
  whole_file = static_cast<std::uint8_t*>(mapped);

  if (ModelBytes() + ArenaBytes() > PILOTLIGHT_BOARD_MEMORY_DDR_SIZE) {
    std::fprintf(stderr, "model and arenas exceed memory.ddr in board.toml\n");
    std::exit(2);
  }
  const auto offset = static_cast<off_t>(kModelAddress - kFirst);
  for (std::uint64_t done = 0; done < ModelBytes();) {
    const ssize_t wrote =
        pwrite(file, __model_start + done, ModelBytes() - done, offset + static_cast<off_t>(done));
    if (wrote <= 0) GiveUp("copying the model to the shared file");
    done += static_cast<std::uint64_t>(wrote);
  }
  LayOver(file, __model_start, ModelBytes(), kModelAddress);
  LayOver(file, __tensor_arena_start, ArenaBytes(), kModelAddress + ModelBytes());
}

}  // namespace

int InheritedDescriptor(const char* name) {
  const char* const text = std::getenv(name);
  if (text == nullptr) return -1;
  char* end = nullptr;
  const long number = std::strtol(text, &end, 10);
  return *text != '\0' && *end == '\0' && number >= 0 && number <= INT_MAX
             ? static_cast<int>(number)
             : -1;
}

void* SharedAddress(std::uint64_t address) {
  return whole_file != nullptr ? whole_file + (address - kFirst) : nullptr;
}

std::uint64_t SharedDeviceAddress(const void* address) {
  const auto* const byte = static_cast<const std::uint8_t*>(address);
  if (whole_file == nullptr) return NpuPort::kNotVisible;
  if (byte >= __model_start && byte < __model_end) {
    return kModelAddress + static_cast<std::uint64_t>(byte - __model_start);
  }
  if (byte >= __tensor_arena_start && byte < __tensor_arena_end) {
    return kModelAddress + ModelBytes() + static_cast<std::uint64_t>(byte - __tensor_arena_start);
  }
  return NpuPort::kNotVisible;
}

}  // namespace pilotlight::platform::host
