// SPDX-License-Identifier: Apache-2.0
//
// The registers that this port uses, with the names of their manuals: Armv8-M Architecture
// Reference Manual (DDI 0553) for the core, CMSDK TRM (DDI 0479) for the UART, SSE-300 TRM (101773)
// for the timer.
#pragma once

#include <cstdint>

#include "pilotlight/board_config.h"

namespace pilotlight::platform::corstone300 {

inline volatile std::uint32_t& Register(std::uintptr_t address) {
  return *reinterpret_cast<volatile std::uint32_t*>(address);
}

// System control block.
inline constexpr std::uintptr_t kVtor = 0xE000ED08;
inline constexpr std::uintptr_t kAircr = 0xE000ED0C;
inline constexpr std::uint32_t kAircrSysResetReq = 0x05FA0004;  // VECTKEY and the request
inline constexpr std::uintptr_t kCcr = 0xE000ED14;
inline constexpr std::uint32_t kCcrDivideByZeroTrap = 1u << 4;
inline constexpr std::uint32_t kCcrDataCache = 1u << 16;
inline constexpr std::uint32_t kCcrInstructionCache = 1u << 17;
inline constexpr std::uint32_t kCcrLowOverheadBranch = 1u << 19;
inline constexpr std::uintptr_t kShcsr = 0xE000ED24;
inline constexpr std::uint32_t kShcsrMemFaultEnable = 1u << 16;
inline constexpr std::uint32_t kShcsrBusFaultEnable = 1u << 17;
inline constexpr std::uint32_t kShcsrUsageFaultEnable = 1u << 18;
inline constexpr std::uint32_t kShcsrSecureFaultEnable = 1u << 19;
inline constexpr std::uintptr_t kCfsr = 0xE000ED28;
inline constexpr std::uintptr_t kHfsr = 0xE000ED2C;
inline constexpr std::uintptr_t kMmfar = 0xE000ED34;
inline constexpr std::uintptr_t kBfar = 0xE000ED38;
inline constexpr std::uintptr_t kSfsr = 0xE000EDE4;
inline constexpr std::uintptr_t kSfar = 0xE000EDE8;
inline constexpr std::uintptr_t kMpuCtrl = 0xE000ED94;

// Cache identification and maintenance.
inline constexpr std::uintptr_t kCcsidr = 0xE000ED80;
inline constexpr std::uintptr_t kCsselr = 0xE000ED84;
inline constexpr std::uintptr_t kIciallu = 0xE000EF50;
inline constexpr std::uintptr_t kDcimvac = 0xE000EF5C;
inline constexpr std::uintptr_t kDcisw = 0xE000EF60;
inline constexpr std::uintptr_t kDccmvac = 0xE000EF68;

// Interrupt controller: set-enable, one bit per interrupt.
inline constexpr std::uintptr_t kNvicIser = 0xE000E100;
inline void EnableInterrupt(std::uint32_t irq) {
  Register(kNvicIser + 4 * (irq / 32)) = 1u << (irq % 32);
}

inline void DataSyncBarrier() { __asm volatile("dsb" ::: "memory"); }
inline void InstructionSyncBarrier() { __asm volatile("isb" ::: "memory"); }

// Disables interrupts while in scope. A pending interrupt still ends a WFI. So code can check a
// condition and then sleep, without losing an interrupt in between.
class InterruptsOff {
 public:
  InterruptsOff() { __asm volatile("mrs %0, primask\n\tcpsid i" : "=r"(before_)::"memory"); }
  ~InterruptsOff() { __asm volatile("msr primask, %0" ::"r"(before_) : "memory"); }
  InterruptsOff(const InterruptsOff&) = delete;
  InterruptsOff& operator=(const InterruptsOff&) = delete;

 private:
  std::uint32_t before_;
};

}  // namespace pilotlight::platform::corstone300
