// SPDX-License-Identifier: Apache-2.0
//
// What a fault or a failed CHECK leaves behind: a record in .noinit, then a reset. No attempt is
// made to go on, and nothing is sent from here: the next boot reports, with a stack and a console
// known to be sound.
#include <cstdint>
#include <cstring>
#include <initializer_list>

#include "corstone300/registers.h"
#include "pilotlight/base/check.h"
#include "pilotlight/platform/system.h"

extern "C" {
extern std::uint32_t __stack_limit[], __stack_top[];
}

namespace pilotlight::platform {
namespace {

using corstone300::Register;

constexpr std::uint32_t kKindCheck = 6;
constexpr std::uint32_t kKindOther = 7;

// After power-up .noinit holds anything; a record counts when the words around it fit what lies
// between.
struct Kept {
  std::uint32_t magic;
  FaultRecord record;
  std::uint32_t checksum;
};
constexpr std::uint32_t kMagic = 0x464C5450;
__attribute__((section(".noinit"))) Kept kept;

// The stack may be what failed, so the handler brings its own.
constexpr std::size_t kFaultStackWords = 256;
__attribute__((used, aligned(8))) std::uint32_t fault_stack[kFaultStackWords];

std::uint32_t Checksum(const FaultRecord& record) {
  std::uint32_t words[sizeof(FaultRecord) / sizeof(std::uint32_t)];
  static_assert(sizeof(words) == sizeof(FaultRecord));
  std::memcpy(words, &record, sizeof(words));
  std::uint32_t sum = kMagic;
  for (const std::uint32_t word : words) sum = (sum << 5) + (sum >> 27) + word;
  return sum;
}

[[noreturn]] void KeepAndReset(const FaultRecord& record) {
  kept.record = record;
  kept.checksum = Checksum(kept.record);
  kept.magic = kMagic;
  Reset();
}

std::uint32_t KindOfException(std::uint32_t number) {
  switch (number) {
    case 3:
      return 1;  // HardFault
    case 4:
      return 2;  // MemManage
    case 5:
      return 3;  // BusFault
    case 6:
      return 4;  // UsageFault
    case 7:
      return 5;  // SecureFault
    default:
      return kKindOther;  // an interrupt or exception that nobody enabled
  }
}

// Zeroes first: the structure has padding, and the checksum covers it.
FaultRecord EmptyRecord() {
  FaultRecord record;
  std::memset(&record, 0, sizeof(record));
  return record;
}

}  // namespace

extern "C" [[noreturn]] __attribute__((used)) void FaultInCpp(const std::uint32_t* frame,
                                                              std::uint32_t exception) {
  FaultRecord record = EmptyRecord();
  record.valid = true;
  record.kind = KindOfException(exception);
  record.sp = reinterpret_cast<std::uint32_t>(frame);
  // A stack overflow leaves no frame, and a wild stack pointer must not fault again here.
  if (frame >= __stack_limit && frame + 8 <= __stack_top) {
    record.lr = frame[5];
    record.pc = frame[6];
  }
  record.cfsr = Register(corstone300::kCfsr);
  record.hfsr = Register(corstone300::kHfsr);
  record.mmfar = Register(corstone300::kMmfar);
  record.bfar = Register(corstone300::kBfar);
  KeepAndReset(record);
}

extern "C" __attribute__((naked, used)) void FaultEntry() {
  __asm volatile(
      "cpsid i                      \n"
      "mrs   r0, msp                \n"
      "mrs   r1, ipsr               \n"
      "movs  r2, #0                 \n"
      "msr   msplim, r2             \n"
      "ldr   r2, =%c0               \n"
      "msr   msp, r2                \n"
      "b     FaultInCpp             \n"
      ".ltorg                       \n" ::"i"(&fault_stack[kFaultStackWords]));
}

FaultRecord TakeFaultRecord() {
  FaultRecord record = EmptyRecord();
  if (kept.magic == kMagic && kept.checksum == Checksum(kept.record)) record = kept.record;
  kept.magic = 0;
  return record;
}

}  // namespace pilotlight::platform

void pilotlight::CheckFailed(const char* file, int line, const char* expression) {
  __asm volatile("cpsid i" ::: "memory");
  platform::FaultRecord record = platform::EmptyRecord();
  record.valid = true;
  record.kind = platform::kKindCheck;
  record.lr = reinterpret_cast<std::uint32_t>(__builtin_return_address(0));
  record.pc = record.lr;
  record.sp = reinterpret_cast<std::uint32_t>(__builtin_frame_address(0));
  record.check_line = static_cast<std::uint32_t>(line);
  // "file: expression", the folder left out; what does not fit is cut off.
  const char* name = std::strrchr(file, '/') != nullptr ? std::strrchr(file, '/') + 1 : file;
  std::size_t length = 0;
  for (const char* part : {name, ": ", expression}) {
    for (; *part != '\0' && length + 1 < sizeof(record.check_text); ++part)
      record.check_text[length++] = *part;
  }
  platform::KeepAndReset(record);
}
