// SPDX-License-Identifier: Apache-2.0
//
// The NPU behind a shared page (MAILBOX.md). Writes are posted. A read first waits until the
// simulator has executed all of them, so it returns the same value as hardware.
#include <algorithm>
#include <atomic>

#include "npu/mailbox_line.h"
#include "npu/windows.h"
#include "pilotlight/board_config.h"
#include "pilotlight/platform/clock.h"
#include "pilotlight/platform/npu_port.h"

namespace pilotlight::platform {
namespace {

constexpr std::uint32_t kCmd = 0x008;
constexpr std::uint32_t kCmdRun = 1;
constexpr std::uint32_t kReset = 0x00C;

// The simulator normally answers in well under a millisecond. A reset during a run restarts the
// simulator's process. Such a restart takes a second, or many seconds on a host with a load of
// fifteen. If the simulator dies, `present` shows it at once.
constexpr std::uint64_t kAnswerDeadlineUs = 60'000'000;
// A sleeping CPU checks `present` at this interval.
constexpr std::uint64_t kPresenceIntervalUs = 50'000;

// The largest networks take seconds. A simulator that computes for longer than this hangs.
constexpr std::uint64_t kLongestRunUs = 600'000'000;

class MailboxPort final : public NpuPort {
 public:
  std::uint32_t Read(std::uint32_t offset) override {
    EndRun();
    if (offset >= mailbox::kRegisterBytes || !Flush()) return 0;
    return mailbox::SharedPage()->registers[offset / 4];
  }

  void Write(std::uint32_t offset, std::uint32_t value) override {
    EndRun();
    if (!Present()) return;
    if (offset == kCmd && (value & kCmdRun) != 0) BeginRun();
    mailbox::Page& page = *mailbox::SharedPage();
    if (page.head - page.tail == mailbox::kFifoEntries && !Flush()) return;
    mailbox::PostedWrite& entry = page.fifo[page.head % mailbox::kFifoEntries];
    entry.offset = offset;
    entry.value = value;
    std::atomic_thread_fence(std::memory_order_release);
    page.head = page.head + 1;
    // These two writes act at once on hardware. The effect of other writes is only visible to a
    // later read.
    if (offset == kCmd || offset == kReset) Flush();
  }

  bool alive() const override { return !lost_ && IsThere(); }

  std::uint64_t DeviceAddress(const void* cpu_address, std::size_t size_bytes) override {
    const std::uint64_t address = mailbox::NpuAddress(cpu_address);
    return NpuCanReach(address, size_bytes) ? address : kNotVisible;
  }

  void ArmIrq() override {
    EndRun();
    armed_ = mailbox::InterruptCount();
  }

  bool WaitForIrq(std::uint64_t deadline_us) override {
    const Waiting scope;
    EndRun();
    std::uint64_t computing_us = 0;
    while (mailbox::InterruptCount() == armed_) {
      if (!Present()) return false;
      const std::uint64_t now_us = NowUs();
      const bool computing = mailbox::SharedPage()->computing != 0 && computing_us < kLongestRunUs;
      const std::uint64_t device_us = now_us - computing_us;
      if (!computing && device_us >= deadline_us) return false;
      const std::uint64_t left_us = computing ? kPresenceIntervalUs : deadline_us - device_us;
      mailbox::SleepWhileInterruptCountIs(armed_, now_us + std::min(left_us, kPresenceIntervalUs));
      if (!computing) continue;
      const std::uint64_t slept_us = NowUs() - now_us;
      computing_us += slept_us;
      simulator_us_ += slept_us;
    }
    std::atomic_thread_fence(std::memory_order_acquire);
    return true;
  }

  std::uint64_t SimulatorUs() const override { return simulator_us_ + EmulatedWorkUs(); }

  // A board with a mailbox has no data cache (static_assert in corstone300/mailbox_line.cpp).
  void CleanDCache(Span<const std::byte>) override {}
  void InvalidateDCache(Span<std::byte>) override {}

 private:
  // The simulator may finish before the driver waits for it. The simulator's interrupt must not
  // count as work of the CPU, so the wait starts at the command that starts the NPU.
  void BeginRun() {
    running_ = true;
    BeginWaiting();
  }

  void EndRun() {
    if (running_) EndWaiting();
    running_ = false;
  }

  static bool IsThere() {
    const mailbox::Page* page = mailbox::SharedPage();
    return page != nullptr && page->magic == mailbox::kMagic &&
           page->version == mailbox::kVersion && page->present != 0;
  }

  bool Present() {
    if (!IsThere()) lost_ = true;
    return !lost_;
  }

  // Waits until the simulator has executed every posted write.
  bool Flush() {
    if (!Present()) return false;
    mailbox::Page& page = *mailbox::SharedPage();
    if (page.tail != page.head) {
      const std::uint64_t start_us = NowUs();
      const bool answered = RingUntilAnswered(page, start_us + kAnswerDeadlineUs);
      simulator_us_ += NowUs() - start_us;
      if (!answered) return false;
    }
    std::atomic_thread_fence(std::memory_order_acquire);
    return true;
  }

  bool RingUntilAnswered(const mailbox::Page& page, std::uint64_t deadline_us) {
    const Waiting scope;
    mailbox::RingDoorbell();
    while (page.tail != page.head) {
      if (!Present()) return false;
      if (NowUs() >= deadline_us) {
        lost_ = true;
        return false;
      }
      mailbox::YieldToSimulator();
    }
    return true;
  }

  bool lost_ = false;
  bool running_ = false;
  std::uint64_t simulator_us_ = 0;
  std::uint32_t armed_ = 0;
};

MailboxPort port;

}  // namespace

NpuPort& BoardNpuPort() { return port; }

}  // namespace pilotlight::platform
