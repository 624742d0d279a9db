// SPDX-License-Identifier: Apache-2.0
//
// The CPU's side of the mailbox (firmware/platform/MAILBOX.md) with a minimal simulator. The fake
// clock advances by a microsecond each time it is read.
#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <utility>
#include <vector>

#include "npu/mailbox_line.h"
#include "pilotlight/board_config.h"
#include "pilotlight/platform/clock.h"
#include "pilotlight/platform/npu_port.h"

namespace {

std::uint64_t now_us = 0;

// The simulator at the other end of the line. A doorbell makes it execute posted writes, unless
// `answers` is false.
struct Simulator {
  pilotlight::platform::mailbox::Page page;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> executed;
  std::uint32_t rings = 0;
  std::uint32_t interrupts = 0;
  bool answers = true;
  std::function<void()> while_asleep = [] {};

  void Execute() {
    for (; page.tail != page.head; page.tail = page.tail + 1) {
      const auto& entry = page.fifo[page.tail % 64];
      executed.emplace_back(entry.offset, entry.value);
      page.registers[entry.offset / 4] = entry.value;
    }
  }
};

Simulator* simulator = nullptr;
const void* asked_address = nullptr;
std::uint64_t npu_address = 0;
std::uint64_t emulated_work_us = 0;
int waiting = 0;
bool slept_as_work = false;  // The port waited for the simulator outside BeginWaiting().

}  // namespace

namespace pilotlight::platform {

std::uint64_t NowUs() { return now_us++; }
std::uint64_t EmulatedWorkUs() { return emulated_work_us; }
void BeginWaiting() { ++waiting; }
void EndWaiting() { --waiting; }

namespace mailbox {

Page* SharedPage() { return simulator != nullptr ? &simulator->page : nullptr; }

void RingDoorbell() {
  ++simulator->rings;
  if (simulator->answers) simulator->Execute();
}

std::uint32_t InterruptCount() { return simulator->interrupts; }

void SleepWhileInterruptCountIs(std::uint32_t, std::uint64_t deadline_us) {
  simulator->while_asleep();
  if (now_us < deadline_us) now_us = deadline_us;
}

// While the CPU waits, time advances by a millisecond, so that a minute does not need 60 million
// steps.
void YieldToSimulator() {
  slept_as_work |= waiting == 0;
  now_us += 1000;
}

std::uint64_t NpuAddress(const void* cpu_address) {
  asked_address = cpu_address;
  return npu_address;
}

}  // namespace mailbox

namespace {

constexpr std::uint32_t kCmd = 0x008, kReset = 0x00C, kQbase = 0x010, kQsize = 0x020;

// The port is one object for the life of a board, and it gives up a lost simulator for good. So
// each test needs its own process. A death test of gtest runs `body` in one and checks its exit
// code.
void InOwnBoard(const std::function<void(Simulator&, NpuPort&)>& body) {
  EXPECT_EXIT(
      {
        static Simulator fresh;
        std::memset(static_cast<void*>(&fresh.page), 0, sizeof(fresh.page));
        fresh.page.magic = 0x424D4C50;
        fresh.page.version = 2;
        fresh.page.present = 1;
        simulator = &fresh;
        body(fresh, BoardNpuPort());
        std::exit(::testing::Test::HasFailure() ? 1 : 0);
      },
      ::testing::ExitedWithCode(0), "");
}

TEST(MailboxPort, WritesArePostedAndAReadExecutesThemFirst) {
  InOwnBoard([](Simulator& npu, NpuPort& port) {
    port.Write(kQbase, 0x70000000);
    port.Write(kQsize, 64);
    EXPECT_EQ(npu.rings, 0u);
    EXPECT_EQ(port.Read(kQbase), 0x70000000u);
    EXPECT_EQ(npu.rings, 1u);
    EXPECT_EQ(npu.executed.size(), 2u);
  });
}

TEST(MailboxPort, AReadWithNothingPostedNeedsNoDoorbell) {
  InOwnBoard([](Simulator& npu, NpuPort& port) {
    npu.page.registers[1] = 0x22;
    EXPECT_EQ(port.Read(0x004), 0x22u);
    EXPECT_EQ(npu.rings, 0u);
  });
}

TEST(MailboxPort, CommandAndResetAreExecutedAtOnce) {
  InOwnBoard([](Simulator& npu, NpuPort& port) {
    port.Write(kCmd, 1);
    EXPECT_EQ(npu.executed.size(), 1u);
    port.Write(kReset, 0);
    EXPECT_EQ(npu.executed.size(), 2u);
  });
}

TEST(MailboxPort, AFullFifoIsFlushedAndNothingIsLostOrReordered) {
  InOwnBoard([](Simulator& npu, NpuPort& port) {
    for (std::uint32_t i = 0; i < 200; ++i) port.Write(kQsize, i);
    EXPECT_EQ(port.Read(kQsize), 199u);
    ASSERT_EQ(npu.executed.size(), 200u);
    for (std::uint32_t i = 0; i < 200; ++i) EXPECT_EQ(npu.executed[i].second, i);
    EXPECT_EQ(npu.rings, 4u);
  });
}

TEST(MailboxPort, CountersMayWrapAround) {
  InOwnBoard([](Simulator& npu, NpuPort& port) {
    npu.page.head = npu.page.tail = 0xFFFFFFF0;
    for (std::uint32_t i = 0; i < 100; ++i) port.Write(kQsize, i);
    EXPECT_EQ(port.Read(kQsize), 99u);
    EXPECT_EQ(npu.executed.size(), 100u);
  });
}

TEST(MailboxPort, ASimulatorThatDoesNotAnswerIsGivenUpAfterAMinuteForGood) {
  InOwnBoard([](Simulator& npu, NpuPort& port) {
    npu.answers = false;
    const std::uint64_t before = now_us;
    EXPECT_TRUE(port.alive());
    port.Write(kCmd, 1);
    EXPECT_NEAR(static_cast<double>(now_us - before), 60e6, 0.1e6);
    EXPECT_FALSE(port.alive());
    npu.answers = true;
    npu.Execute();
    EXPECT_FALSE(port.alive());
    EXPECT_EQ(port.Read(kQbase), 0u);
  });
}

TEST(MailboxPort, ASimulatorThatEndsIsNoticedAtOnce) {
  InOwnBoard([](Simulator& npu, NpuPort& port) {
    npu.page.registers[4] = 5;
    npu.page.present = 0;
    const std::uint64_t before = now_us;
    EXPECT_FALSE(port.alive());
    EXPECT_EQ(port.Read(0x010), 0u);
    port.Write(kCmd, 1);
    EXPECT_LT(now_us - before, 100u);
    npu.page.present = 1;
    EXPECT_FALSE(port.alive()) << "a register access went unanswered";
  });
}

TEST(MailboxPort, ABoardWithNothingBehindItHasNoNpu) {
  InOwnBoard([](Simulator&, NpuPort& port) {
    simulator = nullptr;
    EXPECT_FALSE(port.alive());
    port.Write(kCmd, 1);
    EXPECT_EQ(port.Read(0), 0u);
  });
}

TEST(MailboxPort, APageOfAnotherVersionIsNoNpu) {
  InOwnBoard([](Simulator& npu, NpuPort& port) {
    npu.page.version = 1;
    EXPECT_FALSE(port.alive());
  });
}

TEST(MailboxPort, AnInterruptSinceArmingEndsTheWait) {
  InOwnBoard([](Simulator& npu, NpuPort& port) {
    npu.interrupts = 3;
    port.ArmIrq();
    npu.while_asleep = [&npu] { npu.interrupts = 4; };
    EXPECT_TRUE(port.WaitForIrq(now_us + 1'000'000));
    EXPECT_LT(now_us, 100'000u);
  });
}

TEST(MailboxPort, AnInterruptBeforeArmingDoesNotCount) {
  InOwnBoard([](Simulator& npu, NpuPort& port) {
    npu.interrupts = 3;
    port.ArmIrq();
    const std::uint64_t deadline_us = now_us + 1'000'000;
    EXPECT_FALSE(port.WaitForIrq(deadline_us));
    EXPECT_GE(now_us, deadline_us);
    EXPECT_TRUE(port.alive()) << "a lost interrupt is not a lost NPU";
  });
}

TEST(MailboxPort, WhatTheSimulatorComputesEndsNoDeadline) {
  InOwnBoard([](Simulator& npu, NpuPort& port) {
    npu.page.computing = 1;
    port.ArmIrq();
    int looks = 0;
    npu.while_asleep = [&] {
      if (++looks == 40) npu.interrupts = 1;
    };
    const std::uint64_t start_us = now_us;
    EXPECT_TRUE(port.WaitForIrq(start_us + 100'000));
    EXPECT_GT(now_us - start_us, 1'900'000u);
    EXPECT_NEAR(static_cast<double>(port.SimulatorUs()), static_cast<double>(now_us - start_us),
                100.0);
  });
}

TEST(MailboxPort, AnInterruptLostAfterComputingIsMissedAtTheDeadlineThatMovedOn) {
  InOwnBoard([](Simulator& npu, NpuPort& port) {
    npu.page.computing = 1;
    port.ArmIrq();
    int looks = 0;
    npu.while_asleep = [&] {
      if (++looks == 10) npu.page.computing = 0;
    };
    const std::uint64_t deadline_us = now_us + 100'000;
    EXPECT_FALSE(port.WaitForIrq(deadline_us));
    EXPECT_NEAR(static_cast<double>(now_us), static_cast<double>(deadline_us + port.SimulatorUs()),
                100.0);
    EXPECT_NEAR(static_cast<double>(port.SimulatorUs()), 500'000.0, 100.0);
  });
}

TEST(MailboxPort, ASimulatorThatComputesForeverIsNotWaitedForForever) {
  InOwnBoard([](Simulator& npu, NpuPort& port) {
    npu.page.computing = 1;
    port.ArmIrq();
    EXPECT_FALSE(port.WaitForIrq(now_us + 100'000));
    EXPECT_LT(now_us, 601'000'000u);
  });
}

TEST(MailboxPort, ADeadlineOfNeverStaysNever) {
  InOwnBoard([](Simulator& npu, NpuPort& port) {
    npu.page.computing = 1;
    port.ArmIrq();
    int looks = 0;
    npu.while_asleep = [&] {
      if (++looks == 2) npu.page.computing = 0;
      if (looks == 1000) npu.interrupts = 1;
    };
    EXPECT_TRUE(port.WaitForIrq(~std::uint64_t{0}));
  });
}

TEST(MailboxPort, TheTimeUntilAWriteIsAcknowledgedIsTheSimulators) {
  InOwnBoard([](Simulator& npu, NpuPort& port) {
    npu.answers = false;
    port.Write(kCmd, 1);
    EXPECT_NEAR(static_cast<double>(port.SimulatorUs()), 60e6, 0.1e6);
  });
}

TEST(MailboxPort, TheCpuWaitsFromTheCommandThatStartsTheNpuToItsInterrupt) {
  InOwnBoard([](Simulator& npu, NpuPort& port) {
    port.ArmIrq();
    EXPECT_EQ(waiting, 0);
    port.Write(kCmd, 1);
    EXPECT_EQ(waiting, 1);
    npu.while_asleep = [&npu] {
      EXPECT_GT(waiting, 0);
      npu.interrupts = 1;
    };
    EXPECT_TRUE(port.WaitForIrq(now_us + 100'000));
    EXPECT_EQ(waiting, 0);
  });
}

TEST(MailboxPort, ARunThatNobodyWaitsForIsNoWaitForLong) {
  InOwnBoard([](Simulator&, NpuPort& port) {
    port.Write(kCmd, 1);
    port.Read(kQbase);
    EXPECT_EQ(waiting, 0);
    port.Write(kCmd, 1);
    port.Write(kCmd, 2);
    EXPECT_EQ(waiting, 0);
    port.Write(kCmd, 1);
    port.ArmIrq();
    EXPECT_EQ(waiting, 0);
  });
}

TEST(MailboxPort, WaitingForAnAcknowledgementIsNoWorkOfTheCpu) {
  InOwnBoard([](Simulator& npu, NpuPort& port) {
    npu.answers = false;
    port.Write(kQbase, 1);
    port.Read(kQbase);
    EXPECT_FALSE(slept_as_work);
    EXPECT_EQ(waiting, 0);
  });
}

TEST(MailboxPort, WhatAnEmulatedCpuWorksEndsNoDeadline) {
  InOwnBoard([](Simulator&, NpuPort& port) {
    const std::uint64_t before_us = port.SimulatorUs();
    emulated_work_us += 5'000'000;
    EXPECT_EQ(port.SimulatorUs() - before_us, 5'000'000u);
  });
}

TEST(MailboxPort, ASimulatorThatEndsWakesTheSleeper) {
  InOwnBoard([](Simulator& npu, NpuPort& port) {
    port.ArmIrq();
    npu.while_asleep = [&npu] { npu.page.present = 0; };
    EXPECT_FALSE(port.WaitForIrq(now_us + 60'000'000));
    EXPECT_LT(now_us, 1'000'000u);
    EXPECT_FALSE(port.alive());
  });
}

TEST(MailboxPort, MemoryThatReachesOverTheEdgeHasNoDeviceAddress) {
  InOwnBoard([](Simulator&, NpuPort& port) {
    constexpr std::uint64_t kEnd =
        std::uint64_t{PILOTLIGHT_BOARD_MEMORY_DDR_ORIGIN} + PILOTLIGHT_BOARD_MEMORY_DDR_SIZE;
    npu_address = PILOTLIGHT_BOARD_MEMORY_DDR_ORIGIN;
    EXPECT_EQ(port.DeviceAddress(&npu_address, 16), npu_address);
    EXPECT_EQ(asked_address, &npu_address);
    npu_address = kEnd - 16;
    EXPECT_EQ(port.DeviceAddress(nullptr, 16), npu_address);
    EXPECT_EQ(port.DeviceAddress(nullptr, 17), NpuPort::kNotVisible);
    npu_address = PILOTLIGHT_BOARD_MEMORY_DDR_ORIGIN - 1;
    EXPECT_EQ(port.DeviceAddress(nullptr, 1), NpuPort::kNotVisible);
    npu_address = NpuPort::kNotVisible;
    EXPECT_EQ(port.DeviceAddress(nullptr, 1), NpuPort::kNotVisible);
  });
}

}  // namespace
}  // namespace pilotlight::platform
