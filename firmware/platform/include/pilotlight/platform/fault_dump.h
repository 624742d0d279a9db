// SPDX-License-Identifier: Apache-2.0
//
// The dump that a fault or a failed CHECK leaves for the next boot. python/pilotlight/fault decodes
// the same bytes. Design: firmware/platform/DESIGN.md
#pragma once

#include <cstddef>
#include <cstdint>

namespace pilotlight::platform {

inline constexpr std::uint32_t kFaultDumpMagic = 0x32464C50;  // "PLF2"
inline constexpr std::size_t kImageIdBytes = 20;
inline constexpr std::size_t kFaultStackBytes = 1024;

enum class FaultKind : std::uint32_t {
  kHardFault = 1,
  kMemManage = 2,
  kBusFault = 3,
  kUsageFault = 4,
  kSecureFault = 5,
  kCheck = 6,
  kUnexpectedInterrupt = 7,
  kFaultInHandler = 8,  // The first fault's registers are lost.
};

struct FaultDump {
  std::uint32_t magic;
  std::uint32_t length_bytes;            // Of the whole dump, including crc.
  std::uint8_t image_id[kImageIdBytes];  // The image's build id from the linker; host: 0.
  FaultKind kind;
  std::uint32_t exception;  // Number of the exception (IPSR).
  std::uint32_t has_frame;  // 1 if the core could save r0-r3, r12, lr, pc, xpsr.
  std::uint32_t r[13];
  std::uint32_t sp;  // As it was before the exception.
  std::uint32_t lr, pc, xpsr;
  std::uint32_t exc_return;
  std::uint32_t cfsr, hfsr, mmfar, bfar, sfsr, sfar;
  std::uint32_t check_line;   // kCheck only.
  char check_text[64];        // kCheck only: "file: expression".
  std::uint32_t stack_bytes;  // Bytes saved in `stack`, from `sp` upwards.
  std::uint8_t stack[kFaultStackBytes];
  std::uint32_t crc;  // CRC-32 (base/crc32.h) over all bytes before it.
};
static_assert(sizeof(FaultDump) == 28 + 4 * 28 + 64 + 4 + kFaultStackBytes + 4);

// Fills magic, length and crc. Call it last.
void SealFaultDump(FaultDump& dump);

// Fills kind, line and text of a failed CHECK. Drops the folder of `file`, and text that does not
// fit.
void DescribeCheck(FaultDump& dump, const char* file, int line, const char* expression);

}  // namespace pilotlight::platform
