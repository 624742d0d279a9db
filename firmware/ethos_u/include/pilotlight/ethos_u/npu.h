// SPDX-License-Identifier: Apache-2.0
//
// One Ethos-U55 or Ethos-U65: reset it, give it a command stream, wait with a
// deadline.
//
// This module owns the NPU's registers and the cache maintenance around a run.
// It knows nothing about ExecuTorch or .pte files (see backend.h), and reaches
// the chip around the NPU only through platform/npu_port.h.
//
// Lifecycle:  Npu npu(port);  npu.Open();  npu.Run() ... npu.Run().
// A failed Run() has reset the NPU; the next Run() may follow at once.
// Thread context only, one thread. Design: firmware/ethos_u/DESIGN.md
#pragma once

#include <cstddef>
#include <cstdint>

#include "pilotlight/base/span.h"
#include "pilotlight/base/status.h"
#include "pilotlight/ethos_u/failure.h"
#include "pilotlight/ethos_u/program.h"
#include "pilotlight/ethos_u/registers.h"
#include "pilotlight/platform/npu_port.h"

namespace pilotlight::ethos_u {

// What the NPU requires of the address of a command stream and of a region.
inline constexpr std::size_t kNpuAlignBytes = 16;

// What we require of a region the NPU writes, for address and size: one
// Cortex-M55 data cache line. Invalidating a line that is only partly ours
// would drop a neighbour's writes.
inline constexpr std::size_t kCacheLineBytes = 32;

// What Run() may take beyond its deadline: to notice that it has passed, to stop
// the NPU by a reset, and to say so.
inline constexpr std::uint64_t kOverrunUs = 10'000;

// Of that, what a reset may take. It takes microseconds on hardware.
inline constexpr std::uint64_t kResetTimeoutUs = 8'000;

// Memory a command stream addresses by region index; borrowed for one Run().
// Default: region not given.
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
  // Security and privilege the NPU's bus accesses carry.
  bool privileged = true;
  bool secure = true;

  // Memory-attribute set (0..3) of the command fetch, and of each region from
  // bit 2i on. Default: weights through the second AXI port (set 3), scratch
  // through the first (0), the rest set 1.
  std::uint32_t queue_config = 2;
  std::uint32_t region_config = 0x5553;

  // Outstanding AXI transactions allowed; 0 means the product's full number
  // (U55: 32 reads, 16 writes; U65: 64 and 32).
  std::uint8_t max_reads = 0;
  std::uint8_t max_writes = 0;

  // What the four PMU event counters count; see registers.h.
  std::uint32_t events[reg::kPmEventCounters] = {reg::kEventNpuActive, reg::kEventMacActive,
                                                 reg::kEventAxi0ReadBeat, reg::kEventAxi1ReadBeat};
};

// What a finished run cost. Counts come from the NPU's PMU, not from the CPU.
struct RunStats {
  std::uint64_t cycles = 0;  // From start of the stream until its end was noticed.
  std::uint32_t events[reg::kPmEventCounters] = {};
  std::uint32_t queue_read = 0;  // QREAD at the end, in bytes.
};

class Npu {
 public:
  // `port` must outlive the Npu. Touches no register.
  explicit Npu(platform::NpuPort& port, const NpuOptions& options = {})
      : port_(port), options_(options) {}
  Npu(const Npu&) = delete;
  Npu& operator=(const Npu&) = delete;

  // Reads identity and configuration, resets, sets the AXI limits. May be
  // called again at any time: it brings the NPU back to a known state.
  //
  // kTimeout      nobody answers at the registers, or reset does not end.
  // kUnsupported  a product other than U55 and U65.
  // kDeviceFault  the NPU does not take the security state asked for.
  Status Open();

  // Runs one verified program (program.h) to completion; `regions[i]` is region i,
  // as large as it was verified for. Blocks, but no longer than kOverrunUs beyond
  // `deadline_us`, a platform::NowUs() value, or beyond the call if that is later
  // (in the device's time: what a simulator takes ends no deadline, see SimulatorUs()).
  //
  // After any failure the NPU is stopped and reset: it no longer touches the
  // regions (unless even the reset failed, see Failure::recovered).
  //
  // kUnsupported  the stream uses a region not given.
  // kMisaligned   see kNpuAlignBytes and kCacheLineBytes.
  // kBadArgument  something lies where the NPU cannot reach, or Open() was never called.
  // kTimeout      no completion interrupt before the deadline, which may have
  //               passed before the start, or no answer.
  // kDeviceFault  bus, parse, weight or ECC fault.
  Result<RunStats> Run(const Program& program, Span<const Region> regions,
                       std::uint64_t deadline_us);

  // Whether the NPU can read stream and weights where they lie: what Run() would
  // find out only when it is too late to choose another place.
  //
  // kMisaligned, kBadArgument  as Run().
  Status CheckPlace(const Program& program);

  // As NpuPort::SimulatorUs().
  std::uint64_t SimulatorUs() const { return port_.SimulatorUs(); }

  // Where a deadline is now that was set when SimulatorUs() was `simulator_us`.
  std::uint64_t MovedOn(std::uint64_t deadline_us, std::uint64_t simulator_us) const;

  const NpuIdentity& identity() const { return identity_; }

  // The last failure of any call above.
  const Failure& failure() const { return failure_; }

 private:
  Status Reset();
  // Where the NPU finds a program's parts; a region that is not given has no address.
  struct Places {
    std::uint64_t stream = 0;
    std::uint64_t regions[reg::kRegionCount] = {};
  };

  Status Locate(Span<const std::byte> bytes, std::uint32_t region, std::uint64_t& address);
  Status LocateAll(const Program& program, Span<const Region> regions, Places& places);
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
  bool opened_ = false;
};

}  // namespace pilotlight::ethos_u
