// SPDX-License-Identifier: Apache-2.0
#include "pilotlight/ethos_u/npu.h"

#include "npu_product.h"
#include "pilotlight/platform/clock.h"

namespace pilotlight::ethos_u {
namespace {

// The CMD bits that allow the NPU to stop its clock and power are 0. So the NPU stays awake
// between runs and keeps its settings (DESIGN.md, rejected).
constexpr std::uint32_t kStayAwake = 0;

std::uintptr_t AddressOf(const std::byte* pointer) {
  return reinterpret_cast<std::uintptr_t>(pointer);
}

}  // namespace

Region Region::ReadOnly(Span<const std::byte> bytes) {
  // This is the only place that drops const. If a region is not written(), the driver only cleans
  // its bytes and takes their address.
  return Region({const_cast<std::byte*>(bytes.data()), bytes.size()}, false);
}

Region Region::Written(Span<std::byte> bytes) { return Region(bytes, true); }

Status Npu::Open() {
  opened_ = false;
  identity_.config = port_.Read(reg::kConfig);
  identity_.id = port_.Read(reg::kId);
  if (!port_.alive()) return Fail(Status::kTimeout, Cause::kNoAnswer);
  product_ = FindProduct(identity_);
  if (product_ == nullptr) return Fail(Status::kWrongNpu, Cause::kUnknownProduct);
  PILOTLIGHT_TRY(Reset());
  opened_ = true;
  return Status::kOk;
}

Status Npu::Reset() {
  const std::uint64_t deadline_us = platform::NowUs() + kResetTimeoutUs;
  const std::uint32_t protection = (options_.privileged ? reg::kResetPrivileged : 0) |
                                   (options_.secure ? 0 : reg::kResetNonSecure);
  port_.Write(reg::kReset, protection);

  // Only STATUS may be read until the reset has ended.
  for (;;) {
    const std::uint32_t status = port_.Read(reg::kStatus);
    if (!port_.alive()) return Fail(Status::kTimeout, Cause::kNoAnswer);
    if ((status & reg::kStatusResetting) == 0) break;
    if (platform::NowUs() >= deadline_us) {
      return FailRunning(Status::kTimeout, Cause::kResetStuck, status);
    }
  }
  const bool protection_taken = port_.Read(reg::kProt) == protection;
  if (!port_.alive()) return Fail(Status::kTimeout, Cause::kNoAnswer);
  if (!protection_taken) return Fail(Status::kDeviceFault, Cause::kWrongPrivilege);

  // Set here and not in Open(), because a reset clears them.
  const RegisterSetup* setup = product_->setup;
  for (const RegisterSetup* const end = setup + product_->setup_count; setup != end; ++setup) {
    std::uint32_t value = setup->value;
    if (setup->is_attributes) {
      value |= std::uint32_t{options_.memory_type} << reg::kAttributesMemoryTypeShift;
    }
    for (std::uint32_t i = 0; i < setup->count; ++i) port_.Write(setup->offset + 4 * i, value);
  }
  port_.Write(reg::kCmd, kStayAwake);
  return Status::kOk;
}

Result<RunStats> Npu::Run(const Program& program, Span<const Region> regions,
                          std::uint64_t deadline_us) {
  // After a failed reset, this is the only place that tries again.
  if (!opened_) PILOTLIGHT_TRY(Open());
  Places places;
  PILOTLIGHT_TRY(LocateAll(program, regions, places));
  if (platform::NowUs() >= deadline_us) return Fail(Status::kTimeout, Cause::kTooLate);
  const std::uint64_t simulator_us = SimulatorUs();

  // Read-only regions too: the CPU may have written them, for example when a model was loaded
  // over the debug link. Parts of these regions may then exist only in dirty cache lines.
  port_.CleanDCache(program.stream);
  for (const Region& region : regions) {
    if (region.given()) port_.CleanDCache(region.bytes());
  }

  Start(program, places, regions);
  if (const Status status = WaitForEnd(deadline_us, simulator_us); status != Status::kOk) {
    // Otherwise the NPU would keep writing to memory that the caller will reuse.
    const Failure why = failure_;
    opened_ = Reset() == Status::kOk;
    failure_ = why;
    failure_.recovered = opened_;
    return status;
  }
  const RunStats stats = ReadCounters();

  // This comes after the run, because the CPU may prefetch stale lines during the run.
  for (const Region& region : regions) {
    if (region.given() && region.written()) port_.InvalidateDCache(region.bytes());
  }
  return stats;
}

Status Npu::CheckPlace(const Program& program) {
  std::uint64_t address = 0;
  if (!program.weights.empty()) PILOTLIGHT_TRY(Locate(program.weights, 0, address));
  return Locate(program.stream, Failure::kStreamRegion, address);
}

Status Npu::Locate(Span<const std::byte> bytes, std::uint32_t region, std::uint64_t& address) {
  const std::uintptr_t cpu_address = AddressOf(bytes.data());
  address = port_.DeviceAddress(bytes.data(), bytes.size());
  if (!Reachable(address, bytes.size())) {
    return FailAt(Status::kBadArgument, Cause::kUnreachable, region, cpu_address);
  }
  if (cpu_address % kNpuAlignBytes != 0 || address % kNpuAlignBytes != 0) {
    const bool stream = region == Failure::kStreamRegion;
    return FailAt(Status::kMisaligned, stream ? Cause::kMisalignedStream : Cause::kMisalignedRegion,
                  region, cpu_address);
  }
  return Status::kOk;
}

Status Npu::LocateAll(const Program& program, Span<const Region> regions, Places& places) {
  PILOTLIGHT_TRY(Locate(program.stream, Failure::kStreamRegion, places.stream));
  if (regions.size() > reg::kRegionCount) {
    return FailAt(Status::kBadArgument, Cause::kMissingRegion, reg::kRegionCount, 0);
  }
  std::uint32_t given = 0;
  for (std::uint32_t i = 0; i < regions.size(); ++i) {
    if (!regions[i].given()) continue;
    given |= 1u << i;
    const Span<std::byte> bytes = regions[i].bytes();
    if (regions[i].written() &&
        (AddressOf(bytes.data()) % kCacheLineBytes != 0 || bytes.size() % kCacheLineBytes != 0)) {
      return FailAt(Status::kMisaligned, Cause::kMisalignedRegion, i, AddressOf(bytes.data()));
    }
    PILOTLIGHT_TRY(Locate(bytes, i, places.regions[i]));
  }
  const std::uint32_t missing = program.used_regions & ~given;
  if (missing == 0) return Status::kOk;
  std::uint32_t first = 0;
  while ((missing >> first & 1) == 0) ++first;
  return FailAt(Status::kUnsupported, Cause::kMissingRegion, first, 0);
}

std::uint32_t Npu::Pmu(std::uint32_t offset) const { return product_->pmu_window + offset; }

void Npu::StartCounters() {
  std::uint32_t counters = reg::kPmCntEnCycles;
  for (std::uint32_t i = 0; i < reg::kPmEventCounters; ++i) {
    port_.Write(Pmu(reg::PmEvTyper(i)), options_.events[i]);
    counters |= 1u << i;
  }
  port_.Write(Pmu(reg::kPmCcntrCfg), 0);
  port_.Write(Pmu(reg::kPmCntEnSet), counters);
  port_.Write(Pmu(reg::kPmcr), reg::kPmcrEnable | reg::kPmcrResetEvents | reg::kPmcrResetCycles);
}

RunStats Npu::ReadCounters() {
  RunStats stats;
  port_.Write(Pmu(reg::kPmcr), 0);  // Stopped, so that the two halves below match.
  stats.cycles = port_.Read(Pmu(reg::kPmCcntrLow));
  stats.cycles |= static_cast<std::uint64_t>(port_.Read(Pmu(reg::kPmCcntrHigh)) & 0xFFFF) << 32;
  for (std::uint32_t i = 0; i < reg::kPmEventCounters; ++i) {
    stats.events[i] = port_.Read(Pmu(reg::PmEvCntr(i)));
  }
  stats.queue_read = port_.Read(reg::kQRead);
  return stats;
}

void Npu::Start(const Program& program, const Places& places, Span<const Region> regions) {
  StartCounters();
  Write64(reg::kQBaseLow, places.stream);
  port_.Write(reg::kQSize, static_cast<std::uint32_t>(program.stream.size()));
  port_.Write(reg::kQConfig, options_.queue_config);
  for (std::uint32_t i = 0; i < regions.size(); ++i) {
    if (regions[i].given()) Write64(reg::BasePLow(i), places.regions[i]);
  }
  port_.Write(reg::kRegionCfg, options_.region_config);
  port_.ArmIrq();
  port_.Write(reg::kCmd, kStayAwake | reg::kCmdRun);
}

Status Npu::WaitForEnd(std::uint64_t deadline_us, std::uint64_t simulator_us) {
  for (;;) {
    if (!port_.WaitForIrq(MovedOn(deadline_us, simulator_us))) {
      const std::uint32_t status = port_.Read(reg::kStatus);
      if (!port_.alive()) return Fail(Status::kTimeout, Cause::kNoAnswer);
      return FailRunning(Status::kTimeout, Cause::kNoInterrupt, status);
    }
    // This order loses no interrupt. STATUS shows an interrupt that came before the clear. An
    // interrupt that comes after the clear is pending when the port is armed, or STATUS shows it
    // too.
    port_.Write(reg::kCmd, kStayAwake | reg::kCmdClearIrq);
    port_.ArmIrq();
    const std::uint32_t status = port_.Read(reg::kStatus);
    if (!port_.alive()) return Fail(Status::kTimeout, Cause::kNoAnswer);
    const std::uint32_t faults = reg::kStatusAnyFault | product_->own_fault;
    if ((status & reg::kStatusRunning) == 0 || (status & faults) != 0) {
      if ((status & reg::kStatusIrqRaised) != 0) {
        port_.Write(reg::kCmd, kStayAwake | reg::kCmdClearIrq);
      }
      return CheckStatus(status);
    }
    // The stream is still running: the interrupt came from an IRQ command in it.
    if (platform::NowUs() >= MovedOn(deadline_us, simulator_us)) {
      return FailRunning(Status::kTimeout, Cause::kNoInterrupt, status);
    }
  }
}

std::uint64_t Npu::MovedOn(std::uint64_t deadline_us, std::uint64_t simulator_us) const {
  const std::uint64_t grown_us = SimulatorUs() - simulator_us;
  // A sum that overflows means "never".
  return deadline_us + grown_us < deadline_us ? ~std::uint64_t{0} : deadline_us + grown_us;
}

Status Npu::CheckStatus(std::uint32_t status) {
  Cause cause = Cause::kNone;
  if ((status & reg::kStatusBusFault) != 0) {
    cause = Cause::kBusFault;
  } else if ((status & reg::kStatusParseFault) != 0) {
    cause = Cause::kParseFault;
  } else if ((status & product_->own_fault) != 0) {
    const bool weights = product_->own_fault == reg::kStatusWeightFault;
    cause = weights ? Cause::kWeightFault : Cause::kBranchFault;
  } else if ((status & reg::kStatusEccFault) != 0) {
    cause = Cause::kEccFault;
  } else if ((status & reg::kStatusEndReached) == 0) {
    cause = Cause::kStoppedEarly;
  } else {
    return Status::kOk;
  }
  return FailRunning(Status::kDeviceFault, cause, status);
}

void Npu::Write64(std::uint32_t offset_low, std::uint64_t value) {
  port_.Write(offset_low, static_cast<std::uint32_t>(value));
  port_.Write(offset_low + 4, static_cast<std::uint32_t>(value >> 32));
}

bool Npu::Reachable(std::uint64_t address, std::size_t size_bytes) const {
  static_assert(platform::NpuPort::kNotVisible >> 63 != 0, "must exceed every limit below");
  const std::uint64_t limit = std::uint64_t{1} << product_->address_bits;
  return address < limit && size_bytes <= limit - address;
}

Status Npu::Fail(Status status, Cause cause) {
  failure_ = {};
  failure_.status = status;
  failure_.cause = cause;
  failure_.hardware = identity_;
  return status;
}

Status Npu::FailAt(Status status, Cause cause, std::uint32_t region, std::uint64_t address) {
  const Status failed = Fail(status, cause);
  failure_.region = region;
  failure_.address = address;
  return failed;
}

Status Npu::FailRunning(Status status, Cause cause, std::uint32_t npu_status) {
  // During a reset, only STATUS may be read.
  const std::uint32_t queue_read = cause == Cause::kResetStuck ? 0 : port_.Read(reg::kQRead);
  const Status failed = Fail(status, cause);
  failure_.npu_status = npu_status;
  failure_.queue_read = queue_read;
  return failed;
}

}  // namespace pilotlight::ethos_u
