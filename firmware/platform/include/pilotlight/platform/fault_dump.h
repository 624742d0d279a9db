// SPDX-License-Identifier: Apache-2.0
//
// What a fault, a failed CHECK or a hang leaves behind for the next boot. python/pilotlight/fault
// reads the same bytes; firmware/platform/DESIGN.md says what is in them when.
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
  kFaultInHandler = 8,  // Only the first fault's registers are of use, and they are lost.
};

struct FaultDump {
  std::uint32_t magic;
  std::uint32_t length_bytes;            // Of all of it, crc included.
  std::uint8_t image_id[kImageIdBytes];  // The linker's build id of the image that ran; host: 0.
  FaultKind kind;
  std::uint32_t exception;  // Number of the exception taken (IPSR).
  std::uint32_t has_frame;  // 1 when the core could save r0-r3, r12, lr, pc, xpsr.
  std::uint32_t r[13];
  std::uint32_t sp;  // As it was before the exception.
  std::uint32_t lr, pc, xpsr;
  std::uint32_t exc_return;
  std::uint32_t cfsr, hfsr, mmfar, bfar, sfsr, sfar;
  std::uint32_t check_line;  // kCheck only, as is the text: "file: expression".
  char check_text[64];
  std::uint32_t stack_bytes;  // How much of `stack` was saved, from `sp` upwards.
  std::uint8_t stack[kFaultStackBytes];
  std::uint32_t crc;  // CRC-32 (base/crc32.h) over all bytes before it.
};
static_assert(sizeof(FaultDump) == 28 + 4 * 28 + 64 + 4 + kFaultStackBytes + 4);

// Fills magic, length and crc once everything else is in place.
void SealFaultDump(FaultDump& dump);

// Fills kind, line and text of a failed CHECK. The folder is left out, and what does not fit.
void DescribeCheck(FaultDump& dump, const char* file, int line, const char* expression);

}  // namespace pilotlight::platform
