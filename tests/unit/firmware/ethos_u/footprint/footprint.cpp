// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>

#include "pilotlight/ethos_u/backend.h"
#include "pilotlight/ethos_u/npu.h"
#include "pilotlight/platform/clock.h"

using namespace pilotlight;  // NOLINT: an application in one function

// This is volatile, so that the compiler knows nothing about the NPU.
volatile std::uint32_t registers[2048];

std::uint64_t platform::NowUs() { return registers[0]; }

// A platform must define these. The tables of virtual functions refer to operator delete, and the
// library versions of both functions would link the heap.
extern "C" [[noreturn]] void abort() { __builtin_trap(); }
void operator delete(void*) noexcept { __builtin_trap(); }
void operator delete(void*, std::size_t) noexcept { __builtin_trap(); }

class Port final : public platform::NpuPort {
 public:
  std::uint32_t Read(std::uint32_t offset) override { return registers[offset / 4]; }
  void Write(std::uint32_t offset, std::uint32_t value) override { registers[offset / 4] = value; }
  bool alive() const override { return registers[0] != 0; }
  std::uint64_t DeviceAddress(const void* address, std::size_t) override {
    return reinterpret_cast<std::uintptr_t>(address);
  }
  void ArmIrq() override {}
  bool WaitForIrq(std::uint64_t) override { return registers[1] != 0; }
  std::uint64_t SimulatorUs() const override { return 0; }
  void CleanDCache(Span<const std::byte>) override {}
  void InvalidateDCache(Span<std::byte>) override {}
};

extern "C" [[noreturn]] void _start();
void _start() {
  static Port port;
  static ethos_u::Npu npu(port);
  if (npu.Open() == Status::kOk) (void)ethos_u::RegisterBackend(npu);
  for (;;) {
  }
}
