// SPDX-License-Identifier: Apache-2.0
//
// What the driver needs from the chip around the NPU: the NPU's registers and
// interrupt, the data cache, and the address that the NPU uses for a CPU pointer. On silicon and on
// Arm's FVP, a bus connects CPU and NPU. On emulated boards, the connection is a page of memory
// shared with a simulator (platform/DESIGN.md). The driver sees no difference.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pilotlight/base/span.h"

namespace pilotlight::platform {

class NpuPort {
 public:
  // One 32-bit register at byte `offset` from the NPU's base. A read sees the effect of
  // all earlier writes. A read returns 0 if nothing answered, which only happens with a simulated
  // NPU; see alive().
  virtual std::uint32_t Read(std::uint32_t offset) = 0;
  virtual void Write(std::uint32_t offset, std::uint32_t value) = 0;

  // False if nothing answers register accesses. After an access without an answer, the result stays
  // false until reset.
  virtual bool alive() const = 0;

  // The address that the NPU uses for `cpu_address`. kNotVisible if the NPU of this board
  // cannot reach all of the memory.
  static constexpr std::uint64_t kNotVisible = ~std::uint64_t{0};
  virtual std::uint64_t DeviceAddress(const void* cpu_address, std::size_t size_bytes) = 0;

  // WaitForIrq() sleeps until the NPU's interrupt has come since the last ArmIrq(), or
  // until `deadline_us` (a clock.h NowUs() value). Returns false on timeout, and if the
  // simulator is gone. Time that the simulator computes during this wait does not count
  // towards the deadline.
  virtual void ArmIrq() = 0;
  virtual bool WaitForIrq(std::uint64_t deadline_us) = 0;

  // Time since start-up that belongs to the host and not to the device: waits for the
  // simulator's work, and clock.h's EmulatedWorkUs(). This time does not count towards deadlines. 0
  // on a bus.
  virtual std::uint64_t SimulatorUs() const = 0;

  virtual void CleanDCache(Span<const std::byte> bytes) = 0;
  virtual void InvalidateDCache(Span<std::byte> bytes) = 0;

 protected:
  ~NpuPort() = default;
};

// The board's one NPU.
NpuPort& BoardNpuPort();

}  // namespace pilotlight::platform
