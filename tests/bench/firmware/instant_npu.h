// SPDX-License-Identifier: Apache-2.0
//
// An Ethos-U55-128 that does nothing: every register access is a call that returns at once, and a
// run ends as soon as it starts. So only the driver's work is counted.
#pragma once

#include <cstdint>

#include "pilotlight/ethos_u/registers.h"
#include "pilotlight/platform/npu_port.h"

namespace pilotlight::bench {

class InstantNpu final : public platform::NpuPort {
 public:
  std::uint32_t Read(std::uint32_t offset) override {
    switch (offset) {
      case ethos_u::reg::kConfig:
        return 0x00001807;  // 128 MACs, command stream version 0, 24 KiB of SHRAM.
      case ethos_u::reg::kId:
        return 0x10066001;
      case ethos_u::reg::kProt:
        return protection_;
      case ethos_u::reg::kStatus:
        return status_;
      default:
        return 0;
    }
  }

  void Write(std::uint32_t offset, std::uint32_t value) override {
    if (offset == ethos_u::reg::kReset) protection_ = value;
    if (offset == ethos_u::reg::kCmd && (value & ethos_u::reg::kCmdRun) != 0) {
      status_ = ethos_u::reg::kStatusEndReached;
    }
  }

  bool alive() const override { return true; }
  std::uint64_t DeviceAddress(const void* cpu_address, std::size_t) override {
    return reinterpret_cast<std::uintptr_t>(cpu_address);
  }
  void ArmIrq() override {}
  bool WaitForIrq(std::uint64_t) override { return true; }
  std::uint64_t SimulatorUs() const override { return 0; }
  void CleanDCache(Span<const std::byte>) override {}
  void InvalidateDCache(Span<std::byte>) override {}

 private:
  std::uint32_t protection_ = 0;
  std::uint32_t status_ = 0;
};

}  // namespace pilotlight::bench
