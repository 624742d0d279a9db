// SPDX-License-Identifier: Apache-2.0
//
// One region for each section group of image.ld, and one for each window of registers. Regions
// start and end at multiples of 32 bytes and must not overlap (Armv8-M ARM, "Protected Memory
// System Architecture, PMSAv8").
#include "corstone300/mpu.h"

#include <cstdint>

#include "corstone300/registers.h"
#include "pilotlight/base/check.h"
#include "pilotlight/platform/system.h"

namespace pilotlight::platform {

#if PILOTLIGHT_BOARD_CPU_MPU_REGIONS > 0
namespace {

using corstone300::Register;

// From image.ld. Each end symbol is one past the last byte.
extern "C" {
extern std::uint8_t __code_start[], __code_end[];
extern std::uint8_t __constants_start[], __constants_end[];
extern std::uint8_t __model_start[], __model_end[];
extern std::uint8_t __ram_start[], __ram_end[];
extern std::uint8_t __arena_start[], __arena_end[];
extern std::uint8_t __stack_limit[], __stack_top[];
}

constexpr std::uintptr_t kMpuType = 0xE000ED90;
// Sets only the enable bit. So there is no background map, and no protection inside HardFault and
// NMI, which must be able to report a fault.
constexpr std::uint32_t kMpuCtrlEnable = 1u << 0;
constexpr std::uintptr_t kMpuRnr = 0xE000ED98;
constexpr std::uintptr_t kMpuRbar = 0xE000ED9C;
constexpr std::uintptr_t kMpuRlar = 0xE000EDA0;
constexpr std::uintptr_t kMpuMair0 = 0xE000EDC0;

constexpr std::uintptr_t kGranuleBytes = 32;

// RBAR: shareability, access (privileged only, because we run no unprivileged code), execute never.
constexpr std::uint32_t kNotShareable = 0u << 3;
constexpr std::uint32_t kOuterShareable = 2u << 3;
constexpr std::uint32_t kReadWrite = 0u << 1;
constexpr std::uint32_t kReadOnly = 2u << 1;
constexpr std::uint32_t kExecuteNever = 1u << 0;
// RLAR: index of the attribute in MAIR0, and the enable bit.
constexpr std::uint32_t kDevice = 0u << 1;  // nGnRnE
constexpr std::uint32_t kCached = 1u << 1;  // write-back, allocated on reads and writes
constexpr std::uint32_t kUncached = 2u << 1;
constexpr std::uint32_t kRegionEnable = 1u << 0;
constexpr std::uint32_t kMair0 = 0x0044FF00;

struct Use {
  std::uint32_t rbar;
  std::uint32_t rlar;
};

constexpr Use kCode = {kReadOnly | kNotShareable, kCached};
constexpr Use kConstants = {kReadOnly | kNotShareable | kExecuteNever, kCached};
// The NPU may use this memory too. The memory is cached and not shareable, because a Cortex-M55
// does not cache shareable memory. cache.cpp keeps the views of CPU and NPU equal.
constexpr Use kData = {kReadWrite | kNotShareable | kExecuteNever, kCached};
constexpr Use kRegisters = {kReadWrite | kNotShareable | kExecuteNever, kDevice};

std::uint32_t regions_used;

void Map(std::uintptr_t start, std::uintptr_t end, const Use& use) {
  if (start == end) return;
  PILOTLIGHT_CHECK(start % kGranuleBytes == 0 && end % kGranuleBytes == 0 && start < end);
  PILOTLIGHT_CHECK(regions_used < PILOTLIGHT_BOARD_CPU_MPU_REGIONS);
  Register(kMpuRnr) = regions_used;
  Register(kMpuRbar) = start | use.rbar;
  Register(kMpuRlar) = (end - kGranuleBytes) | use.rlar | kRegionEnable;
  regions_used = regions_used + 1;
}

void Map(const std::uint8_t* start, const std::uint8_t* end, const Use& use) {
  Map(reinterpret_cast<std::uintptr_t>(start), reinterpret_cast<std::uintptr_t>(end), use);
}

struct Window {
  std::uintptr_t base;
  std::uintptr_t size_bytes;
};

constexpr Window kDevices[] = {PILOTLIGHT_BOARD_DEVICE_WINDOWS};

}  // namespace

void corstone300::EnableMpu() {
  const std::uint32_t regions = (Register(kMpuType) >> 8) & 0xFF;
  PILOTLIGHT_CHECK(regions >= PILOTLIGHT_BOARD_CPU_MPU_REGIONS);
  Register(kMpuMair0) = kMair0;
  for (std::uint32_t i = 0; i < regions; ++i) {
    Register(kMpuRnr) = i;
    Register(kMpuRlar) = 0;
  }
  regions_used = 0;
  Map(__code_start, __code_end, kCode);
  Map(__constants_start, __constants_end, kConstants);
  Map(__model_start, __model_end, kConstants);
  Map(__ram_start, __ram_end, kData);
  Map(__arena_start, __arena_end, kData);
  Map(__stack_limit, __stack_top, kData);
  for (const Window& device : kDevices)
    Map(device.base, device.base + device.size_bytes, kRegisters);
#if defined(PILOTLIGHT_BOARD_NPU_MAILBOX_ORIGIN)
  constexpr Use kShared = {kReadWrite | kOuterShareable | kExecuteNever, kUncached};
  Map(PILOTLIGHT_BOARD_NPU_MAILBOX_ORIGIN,
      PILOTLIGHT_BOARD_NPU_MAILBOX_ORIGIN + PILOTLIGHT_BOARD_NPU_MAILBOX_SIZE, kShared);
#endif
  DataSyncBarrier();
  Register(corstone300::kMpuCtrl) = kMpuCtrlEnable;
  DataSyncBarrier();
  InstructionSyncBarrier();
}

void MapData(Span<std::byte> memory) {
  const auto start = reinterpret_cast<std::uintptr_t>(memory.data());
  Map(start, start + memory.size(), kData);
  corstone300::DataSyncBarrier();
  corstone300::InstructionSyncBarrier();
}

#else

void corstone300::EnableMpu() {}
void MapData(Span<std::byte>) {}

#endif

}  // namespace pilotlight::platform
