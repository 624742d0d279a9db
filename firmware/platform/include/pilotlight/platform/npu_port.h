// SPDX-License-Identifier: Apache-2.0
//
// What the driver needs from the chip around the NPU: its registers, its
// interrupt, the data cache, and the address the NPU uses for a CPU pointer.
// On silicon and on Arm's FVP this is the bus; on emulated boards it is a page
// of shared memory with the simulator behind it (platform/DESIGN.md). The
// driver cannot tell which.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pilotlight/base/span.h"

namespace pilotlight::platform {

class NpuPort {
 public:
  // One 32-bit register, `offset` in bytes from the NPU's base. A read returns
  // what all earlier writes left behind, or 0 when nobody answered (only a
  // simulated NPU can vanish; see alive()).
  virtual std::uint32_t Read(std::uint32_t offset) = 0;
  virtual void Write(std::uint32_t offset, std::uint32_t value) = 0;

  // False once a register access went unanswered; stays false until reset.
  virtual bool alive() const = 0;

  // The address by which the NPU reaches `cpu_address`; kNotVisible when the
  // memory lies outside what the NPU can reach on this board.
  static constexpr std::uint64_t kNotVisible = ~std::uint64_t{0};
  virtual std::uint64_t DeviceAddress(const void* cpu_address, std::size_t size_bytes) = 0;

  // Sleeps until the NPU's interrupt line fired since the last ArmIrq(), or
  // until `deadline_us` (a clock.h NowUs() value), which moves on with
  // SimulatorUs(). Returns false on timeout.
  virtual void ArmIrq() = 0;
  virtual bool WaitForIrq(std::uint64_t deadline_us) = 0;

  // How long, since start-up, the CPU has waited for a simulator to work: time
  // that is the host's and not the device's, so it ends no deadline. 0 on a bus.
  virtual std::uint64_t SimulatorUs() const = 0;

  virtual void CleanDCache(Span<const std::byte> bytes) = 0;
  virtual void InvalidateDCache(Span<std::byte> bytes) = 0;

 protected:
  ~NpuPort() = default;
};

// The board's one NPU.
NpuPort& BoardNpuPort();

}  // namespace pilotlight::platform
