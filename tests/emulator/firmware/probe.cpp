// SPDX-License-Identifier: Apache-2.0
//
// Answers one line of text per command, so that a test can drive the platform through the console:
//
//   r OFFSET          read an NPU register          w OFFSET VALUE   write one
//   i TIMEOUT_MS      arm and wait for the NPU's interrupt           a   is the NPU there?
//   t N               N write-and-read-back round trips: microseconds each
//   f KIND            fault (undefined, bus, overflow, check, interrupt)      z   reset
//   s                 stack use     e BYTES   echo that many bytes      m   addresses the NPU sees
//   d BYTES           take that many bytes          g BYTES          send that many
//   p INDEX VALUE     set a word of the arena
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "pilotlight/base/check.h"
#include "pilotlight/platform/clock.h"
#include "pilotlight/platform/console.h"
#include "pilotlight/platform/npu_port.h"
#include "pilotlight/platform/system.h"

extern "C" const char probe_model[];

namespace {

using namespace pilotlight;
using namespace pilotlight::platform;

__attribute__((section(".tensor_arena"))) alignas(32) std::uint32_t probe_arena[1024];
volatile std::uint32_t constructed_data = 0x1234;

// Proves that constructors of static objects ran.
struct Constructed {
  Constructed() : word(constructed_data + 1) {}
  std::uint32_t word;
};
Constructed constructed;

char line[128];

template <typename... Arguments>
void Say(const char* format, Arguments... arguments) {
  char text[160];
  const int length = std::snprintf(text, sizeof(text), format, arguments...);
  ConsoleWrite({reinterpret_cast<const std::byte*>(text), static_cast<std::size_t>(length)});
}

void ReadLine() {
  std::size_t length = 0;
  for (;;) {
    std::byte byte;
    if (ConsoleRead({&byte, 1}, NowUs() + 1'000'000) == 0) continue;
    if (byte == std::byte{'\n'}) break;
    if (length + 1 < sizeof(line)) line[length++] = static_cast<char>(byte);
  }
  line[length] = '\0';
}

// Uses more stack than there is, one page at a time.
__attribute__((noinline)) std::uint32_t Overflow(std::uint32_t depth) {
  volatile std::uint32_t frame[256];
  for (std::size_t i = 0; i < 256; ++i) frame[i] = depth;
  if (depth == 1'000'000) return depth;
  return Overflow(depth + 1) + frame[depth % 256];
}

[[noreturn]] void Fault(const char* kind) {
  if (std::strcmp(kind, "overflow") == 0) Say("%" PRIu32 "\n", Overflow(0));
#if defined(__arm__)
  if (std::strcmp(kind, "undefined") == 0) __asm volatile("udf #1");
  // Behind the last peripheral of the expansion area: nothing answers there.
  if (std::strcmp(kind, "bus") == 0) *reinterpret_cast<volatile std::uint32_t*>(0x5FFF0000) = 1;
  if (std::strcmp(kind, "interrupt") == 0) {
    // Interrupt 52 has no handler: enable it, and make it pending.
    *reinterpret_cast<volatile std::uint32_t*>(0xE000E104) = 1u << 20;
    *reinterpret_cast<volatile std::uint32_t*>(0xE000E204) = 1u << 20;
    for (;;) {
    }
  }
#endif
  PILOTLIGHT_CHECK(kind == nullptr);
  std::abort();
}

void Echo(std::size_t count) {
  std::byte bytes[512];
  while (count > 0) {
    const std::size_t got =
        ConsoleRead({bytes, count < sizeof(bytes) ? count : sizeof(bytes)}, NowUs() + 2'000'000);
    if (got == 0) break;
    ConsoleWrite({bytes, got});
    count -= got;
  }
}

void Take(std::size_t count) {
  std::byte bytes[512];
  const std::uint64_t before = NowUs();
  std::size_t taken = 0;
  while (taken < count) {
    const std::size_t got = ConsoleRead({bytes, sizeof(bytes)}, NowUs() + 2'000'000);
    if (got == 0) break;
    taken += got;
  }
  Say("%u bytes in %u us, %u lost\n", static_cast<unsigned>(taken),
      static_cast<unsigned>(NowUs() - before), static_cast<unsigned>(ConsoleOverruns()));
}

void Give(std::size_t count) {
  const std::byte bytes[64] = {};
  for (; count > 0; count -= count < 64 ? count : 64)
    ConsoleWrite({bytes, count < 64 ? count : 64});
}

void Obey() {
  NpuPort& npu = BoardNpuPort();
  char* next = line + 1;
  const char* word = line[0] != '\0' && line[1] != '\0' ? line + 2 : "";
  const auto first = static_cast<std::uint32_t>(std::strtoul(next, &next, 0));
  const auto second = static_cast<std::uint32_t>(std::strtoul(next, &next, 0));
  switch (line[0]) {
    case 'r':
      Say("%08" PRIx32 "\n", npu.Read(first));
      break;
    case 'w':
      npu.ArmIrq();
      npu.Write(first, second);
      Say("ok\n");
      break;
    case 'i': {
      const std::uint64_t before = NowUs();
      const bool fired = npu.WaitForIrq(before + std::uint64_t{first} * 1000);
      Say("%s after %u us\n", fired ? "interrupt" : "none",
          static_cast<unsigned>(NowUs() - before));
      break;
    }
    case 'a':
      Say(npu.alive() ? "alive\n" : "gone\n");
      break;
    case 't': {
      const std::uint64_t before = NowUs();
      std::uint32_t wrong = 0;
      for (std::uint32_t i = 0; i < first; ++i) {
        npu.Write(0x02C, i);
        wrong += npu.Read(0x02C) != i;
      }
      Say("%u us each, %u wrong\n", static_cast<unsigned>((NowUs() - before) / first),
          static_cast<unsigned>(wrong));
      break;
    }
    case 'f':
      Fault(word);
    case 'z':
      Reset();
    case 's':
      Say("%u of %u\n", static_cast<unsigned>(StackHighWaterBytes()),
          static_cast<unsigned>(StackSizeBytes()));
      break;
    case 'e':
      Echo(first);
      break;
    case 'd':
      Take(first);
      break;
    case 'g':
      Give(first);
      break;
    case 'm':
      // Low words: newlib's small printf has no 64-bit conversions.
      Say("model %08" PRIx32 " arena %08" PRIx32 " stack %08" PRIx32 "\n",
          static_cast<std::uint32_t>(npu.DeviceAddress(probe_model, 65536)),
          static_cast<std::uint32_t>(npu.DeviceAddress(probe_arena, sizeof(probe_arena))),
          static_cast<std::uint32_t>(npu.DeviceAddress(&next, 4)));
      break;
    case 'p':
      if (first < 1024) probe_arena[first] = second;
      Say("ok\n");
      break;
    default:
      Say("what?\n");
  }
}

}  // namespace

int main() {
  const FaultRecord record = TakeFaultRecord();
  Say("\nprobe boot %08" PRIx32 " constructed %" PRIx32 "\n", BootId(), constructed.word);
  if (record.valid) {
    Say("fault kind %" PRIu32 " pc %08" PRIx32 " cfsr %08" PRIx32 " line %" PRIu32 " text %s\n",
        record.kind, record.pc, record.cfsr, record.check_line, record.check_text);
  }
  for (;;) {
    ReadLine();
    Obey();
  }
}
