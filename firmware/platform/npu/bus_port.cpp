// SPDX-License-Identifier: Apache-2.0
//
// The NPU on the bus: registers at board.toml [npu] base, and its own interrupt.
#include "corstone300/cache.h"
#include "corstone300/clock.h"
#include "corstone300/registers.h"
#include "corstone300/system.h"
#include "npu/windows.h"
#include "pilotlight/interrupts.h"
#include "pilotlight/platform/clock.h"
#include "pilotlight/platform/hooks.h"
#include "pilotlight/platform/npu_port.h"

namespace pilotlight::platform {
namespace {

using corstone300::Register;

constexpr std::uintptr_t kCmd = PILOTLIGHT_BOARD_NPU_BASE + 0x008;
constexpr std::uint32_t kCmdClearIrq = 1u << 1;
constexpr std::uint32_t kCmdKeep = 0xC;  // clock and power permissions stay as they are

volatile std::uint32_t interrupts;

class BusPort final : public NpuPort {
 public:
  std::uint32_t Read(std::uint32_t offset) override {
    return Register(PILOTLIGHT_BOARD_NPU_BASE + offset);
  }

  void Write(std::uint32_t offset, std::uint32_t value) override {
    // All memory that the NPU will read must be written before this register.
    corstone300::DataSyncBarrier();
    Register(PILOTLIGHT_BOARD_NPU_BASE + offset) = value;
  }

  // If the bus does not answer, the core takes a BusFault.
  bool alive() const override { return true; }

  std::uint64_t DeviceAddress(const void* cpu_address, std::size_t size_bytes) override {
    const auto address = reinterpret_cast<std::uintptr_t>(cpu_address);
    return NpuCanReach(address, size_bytes) ? address : kNotVisible;
  }

  void ArmIrq() override { armed_ = interrupts; }

  bool WaitForIrq(std::uint64_t deadline_us) override {
    const Waiting scope;
    while (interrupts == armed_) {
      if (NowUs() >= deadline_us) return false;
      if (WaitForSignal(deadline_us)) continue;
      const corstone300::InterruptsOff guard;
      if (interrupts == armed_) corstone300::SleepUntil(deadline_us);
    }
    corstone300::DataSyncBarrier();
    return true;
  }

  std::uint64_t SimulatorUs() const override { return 0; }

  void CleanDCache(Span<const std::byte> bytes) override { corstone300::CleanDataCache(bytes); }
  void InvalidateDCache(Span<std::byte> bytes) override { corstone300::InvalidateDataCache(bytes); }

 private:
  std::uint32_t armed_ = 0;
};

BusPort port;

}  // namespace

// The interrupt is a level. Unless the handler clears it in the NPU, the core enters the handler
// again and again.
extern "C" void pilotlight_npu_interrupt(void) {
  Register(kCmd) = (Register(kCmd) & kCmdKeep) | kCmdClearIrq;
  corstone300::DataSyncBarrier();
  interrupts = interrupts + 1;
  SignalWaiter();
}

extern "C" void NpuPortStart() { corstone300::EnableInterrupt(PILOTLIGHT_BOARD_NPU_IRQ); }

// There is no source of randomness, so only the boot count makes boot ids differ.
std::uint32_t PowerUpSeed() { return 0; }

void corstone300::ShowFaultDump(const FaultDump&) {}

NpuPort& BoardNpuPort() { return port; }

}  // namespace pilotlight::platform
