// SPDX-License-Identifier: Apache-2.0
//
// Answers each command with one line of text, so that a test can drive the platform by the console:
//
//   r OFFSET          read an NPU register          w OFFSET VALUE   write one
//   i TIMEOUT_MS      arm and wait for the NPU's interrupt           a   is the NPU there?
//   t N               N write-and-read-back round trips: microseconds each
//   f KIND            fault, see kFaults, or overflow, or check      z   reset
//   x                 the bytes of the last boot's fault dump, in hexadecimal
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

// Shows that constructors of static objects ran.
struct Constructed {
  Constructed() : word(constructed_data + 1) {}
  std::uint32_t word;
};
Constructed constructed;

char line[128];
const FaultDump* fault_dump;

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

// Uses more stack than there is, 1 KiB at a time.
__attribute__((noinline)) std::uint32_t Overflow(std::uint32_t depth) {
  volatile std::uint32_t frame[256];
  for (std::size_t i = 0; i < 256; ++i) frame[i] = depth;
  if (depth == 1'000'000) return depth;
  return Overflow(depth + 1) + frame[depth % 256];
}

#if defined(__arm__)
volatile std::uint32_t& At(std::uintptr_t address) {
  __asm("" : "+r"(address));  // Otherwise the compiler sees that the access is wrong.
  return *reinterpret_cast<volatile std::uint32_t*>(address);
}

extern "C" std::uint32_t __stack_limit[];
const std::uint32_t constant = 1;
std::uint32_t data_word;
// BX LR, twice. The code is in the data section and runs unless memory protection forbids it.
std::uint32_t instructions[] = {0x47704770};

struct NamedFault {
  const char* name;
  void (*cause)();
};

const NamedFault kFaults[] = {
    {"undefined", [] { __asm volatile("udf #1"); }},
    // Nothing answers after the last peripheral of the expansion area. The MPU is off for this.
    {"bus",
     [] {
       At(0xE000ED94) = 0;
       __asm volatile("dsb\n\tisb");
       At(0x5FFF0000) = 1;
     }},
    {"null-write", [] { At(0x4) = 1; }},
    {"null-read", [] { data_word = At(0x0); }},
    {"null-call", [] { reinterpret_cast<void (*)()>(std::uintptr_t{1})(); }},
    {"far-null-read", [] { data_word = At(0x0FFC); }},
    {"write-code", [] { At(reinterpret_cast<std::uintptr_t>(&StackSizeBytes) & ~3u) = 0; }},
    {"write-constant", [] { At(reinterpret_cast<std::uintptr_t>(&constant)) = 2; }},
    {"write-model", [] { At(reinterpret_cast<std::uintptr_t>(probe_model)) = 0; }},
    {"execute-data",
     [] { reinterpret_cast<void (*)()>(reinterpret_cast<std::uintptr_t>(instructions) | 1)(); }},
    {"execute-arena",
     [] { reinterpret_cast<void (*)()>(reinterpret_cast<std::uintptr_t>(probe_arena) | 1)(); }},
    {"execute-stack",
     [] {
       volatile std::uint32_t here[] = {0x47704770};
       reinterpret_cast<void (*)()>(reinterpret_cast<std::uintptr_t>(here) | 1)();
     }},
    {"execute-device", [] { reinterpret_cast<void (*)()>(std::uintptr_t{0x59303001})(); }},
    // Leaves no room below the stack pointer for the registers that the core saves at a fault.
    {"full-stack", [] { __asm volatile("msr msp, %0\n\tudf #2" ::"r"(__stack_limit + 2)); }},
    {"guard", [] { At(reinterpret_cast<std::uintptr_t>(__stack_limit) - 4) = 1; }},
    {"other-device", [] { At(0x58002000) = 1; }},
    {"unaligned", [] { __asm volatile("ldrd r0, r1, [%0]" ::"r"(0x30000002)
                                      : "r0", "r1"); }},
    {"divide", [] { data_word = 1'000 / *const_cast<volatile std::uint32_t*>(&data_word); }},
    {"malloc", [] { data_word = reinterpret_cast<std::uintptr_t>(std::malloc(data_word)); }},
    {"new", [] { data_word = reinterpret_cast<std::uintptr_t>(new std::uint32_t[data_word & 7]); }},
    {"free",
     [] {
       std::free(const_cast<std::uint32_t*>(&At(reinterpret_cast<std::uintptr_t>(&data_word))));
       data_word = 1;  // Otherwise the call would be a jump, which leaves no trace of the caller.
     }},
    // Interrupt 52 has no handler. This code enables the interrupt and makes it pending.
    {"interrupt", [] { At(0xE000E104) = 1u << 20, At(0xE000E204) = 1u << 20; }},
};
#endif

void Fault(const char* kind) {
  if (std::strcmp(kind, "overflow") == 0) Say("%" PRIu32 "\n", Overflow(0));
#if defined(__arm__)
  for (const NamedFault& fault : kFaults) {
    if (std::strcmp(kind, fault.name) != 0) continue;
    fault.cause();
    // A test that expects a fault reads this line.
    return Say("nothing happened\n");
  }
#endif
  PILOTLIGHT_CHECK(kind == nullptr);
}

void SayFaultDump() {
  const auto* const bytes = reinterpret_cast<const std::uint8_t*>(fault_dump);
  for (std::size_t i = 0; fault_dump != nullptr && i < sizeof(FaultDump); ++i)
    Say("%02x", bytes[i]);
  Say("\n");
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

void WaitForIrq(NpuPort& npu, std::uint32_t limit_ms) {
  const std::uint64_t before = NowUs();
  const bool fired = npu.WaitForIrq(before + std::uint64_t{limit_ms} * 1000);
  Say("%s after %u us\n", fired ? "interrupt" : "none", static_cast<unsigned>(NowUs() - before));
}

void TimeRegisters(NpuPort& npu, std::uint32_t count) {
  const std::uint64_t before = NowUs();
  std::uint32_t wrong = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    npu.Write(0x02C, i);
    wrong += npu.Read(0x02C) != i;
  }
  Say("%u us each, %u wrong\n", static_cast<unsigned>((NowUs() - before) / count),
      static_cast<unsigned>(wrong));
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
    case 'i':
      WaitForIrq(npu, first);
      break;
    case 'a':
      Say(npu.alive() ? "alive\n" : "gone\n");
      break;
    case 't':
      TimeRegisters(npu, first);
      break;
    case 'f':
      Fault(word);
      break;
    case 'x':
      SayFaultDump();
      break;
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
      // The low words, because newlib's small printf has no 64-bit conversions.
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
  fault_dump = TakeFaultDump();
  Say("\nprobe boot %08" PRIx32 " constructed %" PRIx32 "\n", BootId(), constructed.word);
  if (fault_dump != nullptr) {
    Say("fault kind %" PRIu32 " line %" PRIu32 " text %s\n",
        static_cast<std::uint32_t>(fault_dump->kind), fault_dump->check_line,
        fault_dump->check_text);
  }
  for (;;) {
    ReadLine();
    Obey();
  }
}
