// SPDX-License-Identifier: Apache-2.0
#include "instant_npu.h"

#include "pilotlight/ethos_u/npu.h"
#include "pilotlight/ethos_u/registers.h"
#include "pilotlight/platform/npu_port.h"
#include "program_case.h"

namespace pilotlight::fuzz {
namespace {

namespace reg = ethos_u::reg;

// An Ethos-U55-128, for which the seeds are compiled.
constexpr std::uint32_t kConfig = 0x00001807;
constexpr std::uint32_t kId = 0x10066001;

class InstantNpu final : public platform::NpuPort {
 public:
  std::uint32_t Read(std::uint32_t offset) override {
    switch (offset) {
      case reg::kConfig:
        return kConfig;
      case reg::kId:
        return kId;
      case reg::kProt:
        return protection_;
      case reg::kStatus:
        return status_;
      default:
        return 0;
    }
  }

  void Write(std::uint32_t offset, std::uint32_t value) override {
    if (offset == reg::kReset) {
      protection_ = value;
      status_ = 0;
    }
    if (offset == reg::kCmd && (value & reg::kCmdRun) != 0) status_ = reg::kStatusEndReached;
  }

  bool alive() const override { return true; }

  // The NPU reaches all memory: the device address is the low 28 bits of the CPU's, so the
  // alignment is the same.
  std::uint64_t DeviceAddress(const void* cpu_address, std::size_t) override {
    return reinterpret_cast<std::uintptr_t>(cpu_address) & 0x0FFFFFFF;
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

}  // namespace

ethos_u::EthosUBackend& RegisterEthosU() {
  static InstantNpu port;
  static ethos_u::Npu npu{port};
  if (npu.Open() != Status::kOk) Violation("the NPU does not open");
  auto backend = ethos_u::RegisterBackend(npu);
  if (!backend.ok()) Violation("the delegate cannot be registered");
  backend.value()->BeginInference(~std::uint64_t{0});
  return *backend.value();
}

}  // namespace pilotlight::fuzz
