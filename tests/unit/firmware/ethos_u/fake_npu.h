// SPDX-License-Identifier: Apache-2.0
//
// A fake NPU, by default an Ethos-U55-128. The fake stores its registers, executes nothing, and
// fails as a test asks. Time passes only when code reads the clock.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "pilotlight/base/span.h"
#include "pilotlight/ethos_u/registers.h"
#include "pilotlight/platform/npu_port.h"

namespace pilotlight::test {

namespace reg = ethos_u::reg;

// The time of platform::NowUs(). Each read adds 10 us.
inline std::uint64_t fake_now_us = 0;

// The only memory that the fake NPU can reach. Its device address is kDeviceBase.
inline constexpr std::uint64_t kDeviceBase = 0x70000000;
inline constexpr std::size_t kMemoryBytes = 64 * 1024;
alignas(64) inline std::byte npu_memory[kMemoryBytes];

inline constexpr std::uint32_t kConfigU55_128 = 0x00001807;
inline constexpr std::uint32_t kIdU55 = 0x10066001;
inline constexpr std::uint32_t kConfigU85_256 = 0x20000118;
inline constexpr std::uint32_t kIdU85 = 0x20007001;

class FakeNpu final : public platform::NpuPort {
 public:
  // Behaviour, set by the test.
  std::uint32_t config = kConfigU55_128;
  std::uint32_t id = kIdU55;
  std::uint32_t pmu_window = 0;      // Added to the offsets of the PMU's registers.
  std::uint32_t polls_in_reset = 2;  // Reads of STATUS that still show the reset.
  std::uint32_t status_after_run = reg::kStatusIrqRaised | reg::kStatusEndReached;
  int interrupts_before_end = 0;  // Interrupts while the stream is still running.
  bool hangs = false;             // Runs until a reset and raises no interrupt.
  bool irq_arrives = true;
  std::uint64_t simulator_us_per_wait = 0;  // The simulator's time in each wait.
  bool answers = true;
  bool dies_in_run = false;
  bool ignores_protection = false;
  std::uint64_t device_base = kDeviceBase;
  std::size_t visible_from = 0;
  std::size_t visible_to = kMemoryBytes;
  std::function<void(FakeNpu&)> compute = [](FakeNpu&) {};

  // The calls, in order: "clean", "invalidate", "run", "wait", "reset", "arm", "clear".
  std::vector<std::string> events;
  std::map<std::uint32_t, std::uint32_t> written;
  std::vector<std::uint32_t> reads_in_reset;
  std::uint64_t last_deadline_us = 0;

  std::byte* Pointer(std::uint32_t base_register) {
    return npu_memory + (written[base_register] - kDeviceBase);
  }
  std::string Order() const {
    std::string text;
    for (const std::string& event : events) text += event + " ";
    return text;
  }

  std::uint32_t Read(std::uint32_t offset) override {
    if (!answers) alive_ = false;
    if (!alive_) return 0;
    if (resets_left_ != 0) reads_in_reset.push_back(offset);
    switch (offset) {
      case reg::kConfig:
        return config;
      case reg::kId:
        return id;
      case reg::kProt:
        return ignores_protection ? ~written[reg::kReset] & 3u : written[reg::kReset];
      case reg::kStatus:
        if (resets_left_ != 0) {
          --resets_left_;
          return reg::kStatusResetting;
        }
        return status_;
      case reg::kQRead:
        return written[reg::kQSize];
      default:
        return ReadCounter(offset - pmu_window);
    }
  }

  void BecomeU85() {
    config = kConfigU85_256;
    id = kIdU85;
    pmu_window = 0x1000;
  }

  void Write(std::uint32_t offset, std::uint32_t value) override {
    if (!alive_) return;
    if (offset == reg::kReset) {
      written.clear();
      events.push_back("reset");
      resets_left_ = polls_in_reset;
      status_ = 0;
    }
    written[offset] = value;
    if (offset != reg::kCmd) return;
    if ((value & reg::kCmdRun) != 0) {
      events.push_back("run");
      compute(*this);
      if (dies_in_run) alive_ = false;
      interrupts_left_ = interrupts_before_end;
      status_ = reg::kStatusRunning;
    }
    if ((value & reg::kCmdClearIrq) != 0) {
      events.push_back("clear");
      status_ &= ~reg::kStatusIrqRaised;
    }
  }

  bool alive() const override { return alive_; }

  std::uint64_t DeviceAddress(const void* cpu_address, std::size_t size_bytes) override {
    const auto* at = static_cast<const std::byte*>(cpu_address);
    if (at < npu_memory + visible_from || at + size_bytes > npu_memory + visible_to) {
      return kNotVisible;
    }
    return device_base + static_cast<std::uint64_t>(at - npu_memory);
  }

  void ArmIrq() override { events.push_back("arm"); }

  bool WaitForIrq(std::uint64_t deadline_us) override {
    events.push_back("wait");
    last_deadline_us = deadline_us;
    simulator_us_ += simulator_us_per_wait;
    fake_now_us += simulator_us_per_wait;
    if (hangs) {
      fake_now_us = std::max(fake_now_us, deadline_us);
      return false;
    }
    const bool runs_on = interrupts_left_-- > 0;
    status_ = runs_on ? reg::kStatusRunning | reg::kStatusIrqRaised : status_after_run;
    if (!irq_arrives) fake_now_us = std::max(fake_now_us, deadline_us);
    return irq_arrives;
  }

  std::uint64_t SimulatorUs() const override { return simulator_us_; }

  void CleanDCache(Span<const std::byte>) override { events.push_back("clean"); }
  void InvalidateDCache(Span<std::byte>) override { events.push_back("invalidate"); }

 private:
  // Of the PMU: 0 for any other register.
  static std::uint32_t ReadCounter(std::uint32_t offset) {
    if (offset == reg::kPmCcntrLow) return 0x00000010;
    if (offset == reg::kPmCcntrHigh) return 0xABCD0002;
    return offset >= reg::PmEvCntr(0) && offset < reg::PmEvCntr(4) ? 100 + offset : 0;
  }

  bool alive_ = true;
  std::uint64_t simulator_us_ = 0;
  std::uint32_t status_ = 0;
  std::uint32_t resets_left_ = 0;
  int interrupts_left_ = 0;
};

// Writes words, little-endian, to the start of npu_memory.
inline Span<const std::byte> PutWords(const std::vector<std::uint32_t>& words,
                                      std::size_t offset = 0) {
  std::memcpy(npu_memory + offset, words.data(), 4 * words.size());
  return {npu_memory + offset, 4 * words.size()};
}

// A payload for U55-128 with `stream`, in Vela's layout.
inline std::vector<std::uint32_t> PayloadAround(const std::vector<std::uint32_t>& stream) {
  std::vector<std::uint32_t> words = {0x31504F43, 0x00100001, kConfigU55_128, kIdU55, 5, 5, 5};
  words.push_back(static_cast<std::uint32_t>(stream.size()) << 16 | 2);
  words.insert(words.end(), stream.begin(), stream.end());
  return words;
}

// The same in the format COP2, with Vela's padding before the stream.
inline std::vector<std::uint32_t> Payload2Around(const std::vector<std::uint32_t>& stream) {
  const auto stream_bytes = static_cast<std::uint32_t>(4 * stream.size());
  std::vector<std::uint32_t> words = {0x32504F43,
                                      1,
                                      48 + stream_bytes,
                                      0,
                                      1,
                                      40 + stream_bytes,
                                      36,
                                      0x4D554556,
                                      1,
                                      20,
                                      kConfigU55_128,
                                      kIdU55,
                                      1,
                                      0,
                                      0,
                                      0xFFFFFFFF};
  words.insert(words.end(), stream.begin(), stream.end());
  return words;
}

}  // namespace pilotlight::test
