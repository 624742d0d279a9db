// SPDX-License-Identifier: Apache-2.0
//
// Registers of Ethos-U55, Ethos-U65 and Ethos-U85: byte offsets from the NPU's base, and the fields
// that this driver uses. The names are those of the manuals. Where products differ, the generated
// table of products (npu_product.h) has the difference: the values of memory attributes and bus
// limits, the distance of the PMU registers from the offsets here, and a bit of STATUS.
#pragma once

#include <cstdint>

namespace pilotlight::ethos_u::reg {

// One bit field of a register or of a configuration word.
struct Field {
  std::uint32_t shift;
  std::uint32_t width;

  constexpr std::uint32_t Get(std::uint32_t word) const {
    return (word >> shift) & ((1u << width) - 1u);
  }
};

inline constexpr std::uint32_t kId = 0x000;
inline constexpr Field kIdArchMajor{28, 4};
inline constexpr Field kIdArchMinor{20, 8};
inline constexpr Field kIdArchPatch{16, 4};

inline constexpr std::uint32_t kStatus = 0x004;
inline constexpr std::uint32_t kStatusRunning = 1u << 0;
inline constexpr std::uint32_t kStatusIrqRaised = 1u << 1;
inline constexpr std::uint32_t kStatusBusFault = 1u << 2;
inline constexpr std::uint32_t kStatusResetting = 1u << 3;
inline constexpr std::uint32_t kStatusParseFault = 1u << 4;
inline constexpr std::uint32_t kStatusEndReached = 1u << 5;
inline constexpr std::uint32_t kStatusWeightFault = 1u << 7;  // Not in all products.
inline constexpr std::uint32_t kStatusEccFault = 1u << 8;
inline constexpr std::uint32_t kStatusBranchFault = 1u << 9;  // Not in all products.
// The faults of every product.
inline constexpr std::uint32_t kStatusAnyFault =
    kStatusBusFault | kStatusParseFault | kStatusEccFault;
inline constexpr Field kStatusFaultingInterface{11, 1};
inline constexpr Field kStatusFaultingChannel{12, 4};

inline constexpr std::uint32_t kCmd = 0x008;
inline constexpr std::uint32_t kCmdRun = 1u << 0;
inline constexpr std::uint32_t kCmdClearIrq = 1u << 1;
inline constexpr std::uint32_t kCmdClockMayStop = 1u << 2;
inline constexpr std::uint32_t kCmdPowerMayStop = 1u << 3;

inline constexpr std::uint32_t kReset = 0x00C;
inline constexpr std::uint32_t kResetPrivileged = 1u << 0;
inline constexpr std::uint32_t kResetNonSecure = 1u << 1;

inline constexpr std::uint32_t kQBaseLow = 0x010;
inline constexpr std::uint32_t kQBaseHigh = 0x014;
inline constexpr std::uint32_t kQRead = 0x018;
inline constexpr std::uint32_t kQConfig = 0x01C;
inline constexpr std::uint32_t kQSize = 0x020;
inline constexpr std::uint32_t kProt = 0x024;  // The same fields as RESET.

inline constexpr std::uint32_t kConfig = 0x028;
inline constexpr Field kConfigMacsLog2{0, 4};
inline constexpr Field kConfigCustomDma{27, 1};
inline constexpr Field kConfigProduct{28, 4};

inline constexpr std::uint32_t kRegionCfg = 0x03C;  // Two bits per region.

// MEM_ATTR or AXI_LIMIT: a memory-attribute set. REGIONCFG selects one of the four sets. The
// table of products has the values of the other fields.
inline constexpr std::uint32_t kAttributesMemoryTypeShift = 4;

constexpr std::uint32_t BasePLow(std::uint32_t region) { return 0x080 + 8 * region; }
constexpr std::uint32_t BasePHigh(std::uint32_t region) { return 0x084 + 8 * region; }
inline constexpr std::uint32_t kRegionCount = 8;

// PMU registers; a product may have all of them at a distance (npu_product.h). Some
// products have more counters.
inline constexpr std::uint32_t kPmcr = 0x180;
inline constexpr std::uint32_t kPmcrEnable = 1u << 0;
inline constexpr std::uint32_t kPmcrResetEvents = 1u << 1;
inline constexpr std::uint32_t kPmcrResetCycles = 1u << 2;
inline constexpr std::uint32_t kPmCntEnSet = 0x184;  // Bit i: event counter i.
inline constexpr std::uint32_t kPmCntEnCycles = 1u << 31;
inline constexpr std::uint32_t kPmCcntrLow = 0x1A0;
inline constexpr std::uint32_t kPmCcntrHigh = 0x1A4;  // Cycle counter bits 47..32.
inline constexpr std::uint32_t kPmCcntrCfg = 0x1A8;   // 0: counts while PMCR enables it.
constexpr std::uint32_t PmEvCntr(std::uint32_t counter) { return 0x300 + 4 * counter; }
constexpr std::uint32_t PmEvTyper(std::uint32_t counter) { return 0x380 + 4 * counter; }
inline constexpr std::uint32_t kPmEventCounters = 4;

// Some PMU events. NpuOptions takes any event number of the manual.
inline constexpr std::uint32_t kEventNpuIdle = 32;
inline constexpr std::uint32_t kEventNpuActive = 35;
inline constexpr std::uint32_t kEventMacActive = 48;
inline constexpr std::uint32_t kEventAxi0ReadBeat = 130;
inline constexpr std::uint32_t kEventAxi1ReadBeat = 386;

}  // namespace pilotlight::ethos_u::reg
