// SPDX-License-Identifier: Apache-2.0
//
// One Ethos-U: resets it, starts a command stream, and waits with a deadline.
//
// This module owns the NPU's registers and the cache maintenance around a run. It knows nothing
// about ExecuTorch or .pte files (see backend.h). This module accesses the chip around the NPU only
// through platform/npu_port.h.
//
// Lifecycle:  Npu npu(port);  npu.Open();  npu.Run() ... npu.Run().
// A failed Run() resets the NPU, so the next Run() may follow at once.
// Thread context only, one thread. Design: firmware/ethos_u/DESIGN.md
#pragma once

#include <cstddef>
#include <cstdint>

#include "pilotlight/base/span.h"
#include "pilotlight/base/status.h"
#include "pilotlight/ethos_u/failure.h"
#include "pilotlight/ethos_u/products.h"
#include "pilotlight/ethos_u/program.h"
#include "pilotlight/ethos_u/registers.h"
#include "pilotlight/platform/npu_port.h"

namespace pilotlight::ethos_u {

// The NPU's alignment for the address of a command stream or region.
inline constexpr std::size_t kNpuAlignBytes = 16;

// The driver's alignment for address and size of a region that the NPU writes: one data cache
// line of a Cortex-M55. If a line also held other data, invalidation would drop writes to it.
inline constexpr std::size_t kCacheLineBytes = 32;

// The longest time between the deadline and the return of Run(). In this time, Run() notices
// that the deadline has passed and stops the NPU by a reset.
inline constexpr std::uint64_t kOverrunUs = 10'000;

// The part of kOverrunUs that a reset may take. On hardware, a reset takes microseconds.
inline constexpr std::uint64_t kResetTimeoutUs = 8'000;

// Memory that a command stream addresses by region index. Borrowed for one Run(). A
// default-constructed Region means that there is no such region.
class Region {
 public:
  Region() = default;
  static Region ReadOnly(Span<const std::byte> bytes);
  static Region Written(Span<std::byte> bytes);

  bool given() const { return bytes_.data() != nullptr; }
  bool written() const { return written_; }
  Span<std::byte> bytes() const { return bytes_; }

 private:
  Region(Span<std::byte> bytes, bool written) : bytes_(bytes), written_(written) {}

  Span<std::byte> bytes_;
  bool written_ = false;
};

struct NpuOptions {
  // Security and privilege of the NPU's bus accesses.
  bool privileged = true;
  bool secure = true;

  // Memory-attribute sets (0..3): of the command fetch, and of region i in bits 2i and 2i + 1.
  // Default: weights use the second AXI port (set 3), scratch uses the first (set 0), and all
  // other regions have set 1.
  std::uint32_t queue_config = 2;
  std::uint32_t region_config = 0x5553;

  // The memory type of all attribute sets, as MEM_ATTR and AXI_LIMIT number them (0 to 15).
  // Default: device memory, not bufferable, as in Arm's driver.
  std::uint8_t memory_type = 0;

  // The events that four PMU counters count; see registers.h.
  std::uint32_t events[reg::kPmEventCounters] = {reg::kEventNpuActive, reg::kEventMacActive,
                                                 reg::kEventAxi0ReadBeat, reg::kEventAxi1ReadBeat};
};

// The cost of a finished run. The NPU's PMU counts, not the CPU.
struct RunStats {
  std::uint64_t cycles = 0;  // From the start of the stream until the driver noticed its end.
  std::uint32_t events[reg::kPmEventCounters] = {};
  std::uint32_t queue_read = 0;  // QREAD at the end, in bytes.
};

class Npu {
 public:
  // `port` must outlive the Npu. Accesses no register.
  explicit Npu(platform::NpuPort& port, const NpuOptions& options = {})
      : port_(port), options_(options) {}
  Npu(const Npu&) = delete;
  Npu& operator=(const Npu&) = delete;

  // Reads identity and configuration, resets the NPU, and sets memory attributes and bus limits.
  // May be called again at any time to bring the NPU back to a known state.
  //
  // kTimeout      no answer at the registers, or the reset does not end.
  // kWrongNpu     this image does not support the product; see products.h.
  // kDeviceFault  the NPU does not take the requested security and privilege.
  Status Open();

  // Runs one verified program (program.h) to its end. `regions[i]` is region i, with the size
  // that the program was verified for. Opens the NPU first if it is not open.
  //
  // Blocks until `deadline_us`, a platform::NowUs() value, plus kOverrunUs at most; if the
  // deadline has passed already, until kOverrunUs after the call. The time of a simulator does
  // not count, see SimulatorUs().
  //
  // After any failure of a started run, the NPU is reset and no longer accesses the regions. If
  // the reset failed too, Failure::recovered is false.
  //
  // kUnsupported  the stream uses a region that is not given.
  // kMisaligned   see kNpuAlignBytes and kCacheLineBytes.
  // kBadArgument  the NPU cannot reach an address, or `regions` has too many members.
  // kTimeout      no interrupt before the deadline, the deadline had passed before the start, or
  //               no answer.
  // kDeviceFault  bus, parse, weight, branch or ECC fault.
  // Errors of Open() occur if Run() has to open the NPU.
  Result<RunStats> Run(const Program& program, Span<const Region> regions,
                       std::uint64_t deadline_us);

  // Checks that the NPU can read stream and weights at their addresses. Run() checks this too,
  // but then the .pte cannot be moved any more.
  //
  // kMisaligned, kBadArgument  as Run().
  Status CheckPlace(const Program& program);

  // As NpuPort::SimulatorUs().
  std::uint64_t SimulatorUs() const { return port_.SimulatorUs(); }

  // `deadline_us` plus the time that the simulator has taken since SimulatorUs() was
  // `simulator_us`.
  std::uint64_t MovedOn(std::uint64_t deadline_us, std::uint64_t simulator_us) const;

  const NpuIdentity& identity() const { return identity_; }

  // The last failure of any call above.
  const Failure& failure() const { return failure_; }

 private:
  Status Reset();
  // The NPU's addresses of a program's parts. The address of a region that is not given is 0.
  struct Places {
    std::uint64_t stream = 0;
    std::uint64_t regions[reg::kRegionCount] = {};
  };

  Status Locate(Span<const std::byte> bytes, std::uint32_t region, std::uint64_t& address);
  Status LocateAll(const Program& program, Span<const Region> regions, Places& places);
  std::uint32_t Pmu(std::uint32_t offset) const;
  void StartCounters();
  RunStats ReadCounters();
  void Start(const Program& program, const Places& places, Span<const Region> regions);
  Status WaitForEnd(std::uint64_t deadline_us, std::uint64_t simulator_us);
  Status CheckStatus(std::uint32_t status);
  void Write64(std::uint32_t offset_low, std::uint64_t value);
  bool Reachable(std::uint64_t address, std::size_t size_bytes) const;

  Status Fail(Status status, Cause cause);
  Status FailAt(Status status, Cause cause, std::uint32_t region, std::uint64_t address);
  Status FailRunning(Status status, Cause cause, std::uint32_t npu_status);

  platform::NpuPort& port_;
  NpuOptions options_;
  NpuIdentity identity_;
  Failure failure_;
  const pilotlight_npu_product* product_ = nullptr;  // Of identity_. Valid if opened_.
  bool opened_ = false;
};

}  // namespace pilotlight::ethos_u
