// SPDX-License-Identifier: Apache-2.0
//
// Writes the dump of a fault or a failed CHECK to .noinit and resets. The handler does not try to
// continue, and it sends nothing. The next boot reports the dump, when stack and console work
// again. A failed CHECK gets here through an undefined instruction, so that registers and stack are
// saved in the same way.
#include "pilotlight/platform/fault_dump.h"

#include <cstdint>
#include <cstring>

#include "corstone300/registers.h"
#include "corstone300/system.h"
#include "pilotlight/base/check.h"
#include "pilotlight/platform/system.h"

extern "C" {
extern std::uint8_t __stack_limit[], __stack_top[];
extern const std::uint8_t __image_id[];
}

namespace pilotlight::platform {
namespace {

using corstone300::Register;

constexpr std::uint32_t kCfsrMstkerr = 1u << 4;
constexpr std::uint32_t kCfsrStkerr = 1u << 12;
constexpr std::uint32_t kCfsrStkof = 1u << 20;
constexpr std::uint32_t kXpsrPadded = 1u << 9;
constexpr std::uint32_t kExcReturnBasicFrame = 1u << 4;
constexpr std::size_t kBasicFrameBytes = 32;
constexpr std::size_t kExtendedFrameBytes = 104;

// .noinit is random after power-up. `fresh` is kFresh if the dump was written since it was last
// taken. The reader of the dump must check that its bytes are intact.
struct Kept {
  std::uint32_t fresh;
  FaultDump dump;
};
constexpr std::uint32_t kFresh = 0x464C5450;
__attribute__((section(".noinit"))) Kept kept;

// The stack may be the cause of the fault, so the handler has its own.
constexpr std::size_t kFaultStackWords = 128;
__attribute__((used, aligned(8))) std::uint32_t fault_stack[kFaultStackWords];

// FaultEntry saves here the registers that the core does not save at exception entry.
struct Entry {
  std::uint32_t r4_to_r11[8];
  std::uint32_t exc_return;
  std::uint32_t frame;
  std::uint32_t ipsr;
};
__attribute__((used)) Entry entry;
bool handling;

struct FailedCheck {
  const char* file;
  int line;
  const char* expression;
};
FailedCheck failed_check;  // `file` is null until a CHECK failed.

[[noreturn]] void KeepAndReset() {
  std::memcpy(kept.dump.image_id, __image_id, kImageIdBytes);
  SealFaultDump(kept.dump);
  kept.fresh = kFresh;
  corstone300::ShowFaultDump(kept.dump);
  Reset();
}

FaultKind KindOfException(std::uint32_t number) {
  if (number >= 3 && number <= 7) return static_cast<FaultKind>(number - 2);
  return FaultKind::kUnexpectedInterrupt;  // An interrupt or exception without a handler.
}

// Copies the frame that the core saved at `frame`, if the stack had room for it.
void TakeFrame(FaultDump& dump, std::uintptr_t frame) {
  const auto limit = reinterpret_cast<std::uintptr_t>(__stack_limit);
  const auto top = reinterpret_cast<std::uintptr_t>(__stack_top);
  dump.sp = frame;
  if (frame < limit || frame > top - kBasicFrameBytes || frame % 8 != 0) return;
  const bool stacked = (dump.cfsr & (kCfsrMstkerr | kCfsrStkerr)) == 0 &&
                       !((dump.cfsr & kCfsrStkof) != 0 && frame == limit);
  if (stacked) {
    std::uint32_t words[8];
    std::memcpy(words, reinterpret_cast<const void*>(frame), sizeof(words));
    std::memcpy(dump.r, words, 4 * sizeof(words[0]));
    dump.r[12] = words[4];
    dump.lr = words[5];
    dump.pc = words[6];
    dump.xpsr = words[7];
    dump.has_frame = 1;
    const bool basic = (dump.exc_return & kExcReturnBasicFrame) != 0;
    dump.sp += static_cast<std::uint32_t>(basic ? kBasicFrameBytes : kExtendedFrameBytes) +
               ((dump.xpsr & kXpsrPadded) != 0 ? 4 : 0);
  }
  if (dump.sp > top) return;
  dump.stack_bytes = static_cast<std::uint32_t>(top) - dump.sp;
  if (dump.stack_bytes > kFaultStackBytes) dump.stack_bytes = kFaultStackBytes;
  std::memcpy(dump.stack, reinterpret_cast<const void*>(std::uintptr_t{dump.sp}), dump.stack_bytes);
}

}  // namespace

extern "C" [[noreturn]] __attribute__((used)) void FaultInCpp() {
  // The MPU's settings may be the cause of the fault. With the MPU off, the code below cannot fault
  // on these settings.
  Register(corstone300::kMpuCtrl) = 0;
  corstone300::DataSyncBarrier();
  corstone300::InstructionSyncBarrier();
  FaultDump& dump = kept.dump;
  std::memset(&dump, 0, sizeof(dump));
  dump.exception = entry.ipsr;
  dump.cfsr = Register(corstone300::kCfsr);
  dump.hfsr = Register(corstone300::kHfsr);
  dump.mmfar = Register(corstone300::kMmfar);
  dump.bfar = Register(corstone300::kBfar);
  dump.sfsr = Register(corstone300::kSfsr);
  dump.sfar = Register(corstone300::kSfar);
  if (handling) {
    dump.kind = FaultKind::kFaultInHandler;
    KeepAndReset();
  }
  handling = true;
  dump.kind = KindOfException(entry.ipsr);
  dump.exc_return = entry.exc_return;
  std::memcpy(&dump.r[4], entry.r4_to_r11, sizeof(entry.r4_to_r11));
  TakeFrame(dump, entry.frame);
  if (failed_check.file != nullptr) {
    DescribeCheck(dump, failed_check.file, failed_check.line, failed_check.expression);
  }
  KeepAndReset();
}

extern "C" __attribute__((naked, used)) void FaultEntry() {
  __asm volatile(
      "cpsid i                      \n"
      "ldr   r0, =%c0               \n"
      "stmia r0!, {r4-r11}          \n"
      "mov   r1, lr                 \n"
      "mrs   r2, msp                \n"
      "mrs   r3, ipsr               \n"
      "stmia r0!, {r1-r3}           \n"
      "movs  r2, #0                 \n"
      "msr   msplim, r2             \n"
      "ldr   r2, =%c2               \n"
      "msr   msp, r2                \n"
      "ldr   r2, =%c1               \n"
      "msr   msplim, r2             \n"
      "b     FaultInCpp             \n"
      ".ltorg                       \n" ::"i"(&entry),
      "i"(&fault_stack[0]), "i"(&fault_stack[kFaultStackWords]));
}

const FaultDump* TakeFaultDump() {
  if (kept.fresh != kFresh) return nullptr;
  kept.fresh = 0;
  return &kept.dump;
}

}  // namespace pilotlight::platform

void pilotlight::CheckFailed(const char* file, int line, const char* expression) {
  __asm volatile("cpsid i" ::: "memory");
  platform::failed_check = {file, line, expression};
  // The "memory" clobber keeps the assignment above before this instruction.
  __asm volatile("udf #0xC4" ::: "memory");
  __builtin_unreachable();
}
