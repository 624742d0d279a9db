// SPDX-License-Identifier: Apache-2.0
#include "pilotlight/ethos_u/npu.h"

#include <gtest/gtest.h>

#include "fake_npu.h"

namespace pilotlight::ethos_u {
namespace {

using test::FakeNpu;
using test::npu_memory;

constexpr std::size_t kStreamAt = 32;
constexpr std::uint64_t kDeadlineInUs = 1'000'000;

class NpuTest : public testing::Test {
 protected:
  void SetUp() override {
    test::fake_now_us = 0;
    program_.stream = {npu_memory + kStreamAt, 12};
    program_.used_regions = 0b11;
  }

  // Opens, then runs `program_` with weights and scratch.
  Result<RunStats> Run() {
    EXPECT_EQ(npu_.Open(), Status::kOk);
    port_.events.clear();
    return RunOnly();
  }
  Result<RunStats> RunOnly() {
    return npu_.Run(program_, regions_, test::fake_now_us + kDeadlineInUs);
  }

  std::string Text() {
    char text[192];
    Describe(npu_.failure(), text);
    return text;
  }

  Program program_;
  Region regions_[2] = {Region::ReadOnly({npu_memory + 1024, 48}),
                        Region::Written({npu_memory + 4096, 1024})};
  FakeNpu port_;
  Npu npu_{port_};
};

TEST_F(NpuTest, OpenReadsWhichNpuThisIs) {
  ASSERT_EQ(npu_.Open(), Status::kOk);
  EXPECT_STREQ(npu_.identity().family(), "ethos-u55");
  EXPECT_EQ(npu_.identity().macs(), 128u);
}

TEST_F(NpuTest, OpenReadsNothingButStatusWhileTheNpuResets) {
  port_.polls_in_reset = 5;
  ASSERT_EQ(npu_.Open(), Status::kOk);
  EXPECT_EQ(port_.reads_in_reset, std::vector<std::uint32_t>(5, 0x004));
}

TEST_F(NpuTest, OpenAsksForSecurePrivilegedAccessAndSetsTheAxiLimits) {
  ASSERT_EQ(npu_.Open(), Status::kOk);
  EXPECT_EQ(port_.written[0x00C], 1u);
  for (std::uint32_t offset = 0x040; offset < 0x050; offset += 4) {
    EXPECT_EQ(port_.written[offset], 31u << 16 | 15u << 24);
  }
}

TEST_F(NpuTest, OpenKeepsTheNpuAwakeSoThatItsSettingsLast) {
  ASSERT_EQ(npu_.Open(), Status::kOk);
  ASSERT_EQ(port_.written.count(0x008), 1u);  // After a reset it is 0xC: asleep when idle.
  EXPECT_EQ(port_.written[0x008], 0u);
}

TEST_F(NpuTest, StuckResetIsATimeoutNotAHang) {
  port_.polls_in_reset = ~0u;
  EXPECT_EQ(npu_.Open(), Status::kTimeout);
  EXPECT_EQ(npu_.failure().cause, Cause::kResetStuck);
}

TEST_F(NpuTest, AbsentNpuIsATimeoutNotAHang) {
  port_.answers = false;
  EXPECT_EQ(npu_.Open(), Status::kTimeout);
  EXPECT_EQ(Text(), "the NPU does not answer at its registers");
}

TEST_F(NpuTest, NpuThatKeepsAnotherSecurityStateIsRefused) {
  port_.ignores_protection = true;
  EXPECT_EQ(npu_.Open(), Status::kDeviceFault);
  EXPECT_EQ(npu_.failure().cause, Cause::kWrongPrivilege);
}

TEST_F(NpuTest, UnknownProductIsRefusedByName) {
  port_.config = 0x20000118;
  EXPECT_EQ(npu_.Open(), Status::kUnsupported);
  EXPECT_NE(Text().find("ethos-u85-256"), std::string::npos) << Text();
}

TEST_F(NpuTest, CleansBeforeTheRunAndInvalidatesOnlyTheWrittenRegionAfterIt) {
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(port_.Order(), "clean clean clean arm run wait clear arm invalidate ");
}

TEST_F(NpuTest, TellsTheNpuWhereStreamAndRegionsLie) {
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(port_.written[0x010], 0x70000020u);  // The address of the stream, not of the payload.
  EXPECT_EQ(port_.written[0x014], 0u);
  EXPECT_EQ(port_.written[0x020], 12u);
  EXPECT_EQ(port_.written[0x01C], 2u);
  EXPECT_EQ(port_.written[0x080], 0x70000000u + 1024);
  EXPECT_EQ(port_.written[0x088], 0x70000000u + 4096);
  EXPECT_EQ(port_.written[0x03C] & 0xF, 3u);  // Weights have set 3, scratch has set 0.
}

TEST_F(NpuTest, NeverGivesTheNpuLeaveToSleepWhileItsSettingsAreNeeded) {
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(port_.written[0x008] & 0xC, 0u);
}

TEST_F(NpuTest, ReportsCyclesAndEventsOfTheCounters) {
  Result<RunStats> stats = Run();
  ASSERT_TRUE(stats.ok());
  EXPECT_EQ(stats.value().cycles,
            0x0002'00000010u);  // The counter has 48 bits.
  EXPECT_EQ(stats.value().events[3], 100u + 0x30C);
  EXPECT_EQ(stats.value().queue_read, 12u);
  EXPECT_EQ(port_.written[0x380], 35u);  // The first counter counts NPU_ACTIVE.
  EXPECT_EQ(port_.written[0x184], 0x8000000Fu);
}

TEST_F(NpuTest, InterruptInTheMiddleOfTheStreamDoesNotEndTheRun) {
  port_.interrupts_before_end = 3;
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(port_.Order(),
            "clean clean clean arm run wait clear arm wait clear arm wait clear arm wait clear arm "
            "invalidate ");
}

TEST_F(NpuTest, EndlessInterruptsOfARunningStreamStillMeetTheDeadline) {
  port_.interrupts_before_end = 1'000'000'000;
  EXPECT_EQ(Run().status(), Status::kTimeout);
}

TEST_F(NpuTest, LostInterruptIsATimeoutThatSaysSo) {
  port_.irq_arrives = false;
  EXPECT_EQ(Run().status(), Status::kTimeout);
  EXPECT_EQ(npu_.failure().cause, Cause::kNoInterrupt);
  EXPECT_NE(Text().find("interrupt was lost"), std::string::npos) << Text();
}

TEST_F(NpuTest, HungNpuIsResetAndLeftNotLaterThanTheOverrunAfterTheDeadline) {
  port_.hangs = true;
  EXPECT_EQ(npu_.Open(), Status::kOk);
  const std::uint64_t deadline_us = test::fake_now_us + kDeadlineInUs;
  EXPECT_EQ(npu_.Run(program_, regions_, deadline_us).status(), Status::kTimeout);
  EXPECT_GE(test::fake_now_us, deadline_us);
  EXPECT_LE(test::fake_now_us, deadline_us + kOverrunUs);
  EXPECT_EQ(port_.events.back(), "reset");
  EXPECT_TRUE(npu_.failure().recovered);
  EXPECT_EQ(npu_.failure().npu_status, reg::kStatusRunning);
  EXPECT_NE(Text().find("still running"), std::string::npos) << Text();

  port_.hangs = false;
  EXPECT_TRUE(RunOnly().ok());
}

TEST_F(NpuTest, HungNpuWhoseResetDoesNotEndIsLeftInTimeTooAndOpenedAgainByTheNextRun) {
  port_.hangs = true;
  EXPECT_EQ(npu_.Open(), Status::kOk);
  port_.polls_in_reset = ~0u;
  std::uint64_t deadline_us = test::fake_now_us + kDeadlineInUs;
  EXPECT_EQ(npu_.Run(program_, regions_, deadline_us).status(), Status::kTimeout);
  EXPECT_LE(test::fake_now_us, deadline_us + kOverrunUs);
  EXPECT_EQ(npu_.failure().cause, Cause::kNoInterrupt);
  EXPECT_FALSE(npu_.failure().recovered);

  // The reset has not ended: the next run is refused in time too, and does not start.
  port_.events.clear();
  deadline_us = test::fake_now_us + 1000;
  EXPECT_EQ(npu_.Run(program_, regions_, deadline_us).status(), Status::kTimeout);
  EXPECT_LE(test::fake_now_us, deadline_us + kOverrunUs);
  EXPECT_EQ(npu_.failure().cause, Cause::kResetStuck);
  EXPECT_EQ(port_.Order().find("run"), std::string::npos);

  port_.hangs = false;
  port_.polls_in_reset = 2;
  EXPECT_TRUE(RunOnly().ok());
}

TEST_F(NpuTest, ResetThatEndsAfterTheDeadlineDoesNotStartTheRun) {
  port_.status_after_run = reg::kStatusIrqRaised | reg::kStatusBusFault;
  port_.hangs = true;
  EXPECT_EQ(npu_.Open(), Status::kOk);
  port_.polls_in_reset = ~0u;
  EXPECT_EQ(RunOnly().status(), Status::kTimeout);
  port_.polls_in_reset = 500;  // 10 us each.
  port_.events.clear();
  EXPECT_EQ(npu_.Run(program_, regions_, test::fake_now_us + 100).status(), Status::kTimeout);
  EXPECT_EQ(npu_.failure().cause, Cause::kTooLate);
  EXPECT_EQ(port_.Order().find("run"), std::string::npos);
}

TEST_F(NpuTest, WhatASimulatorTakesEndsNoDeadlineInTheMiddleOfAStreamEither) {
  port_.interrupts_before_end = 3;
  port_.simulator_us_per_wait = 10 * kDeadlineInUs;
  EXPECT_TRUE(Run().ok());
  EXPECT_EQ(port_.Order().find("reset", port_.Order().find("run")), std::string::npos);
}

TEST_F(NpuTest, BusFaultOfAHungNpuIsNotWaitedFor) {
  port_.status_after_run = reg::kStatusRunning | reg::kStatusIrqRaised | reg::kStatusBusFault;
  EXPECT_EQ(Run().status(), Status::kDeviceFault);
  EXPECT_EQ(npu_.failure().cause, Cause::kBusFault);
  EXPECT_EQ(port_.events.back(), "reset");
}

TEST_F(NpuTest, NpuThatVanishesInTheRunIsATimeout) {
  port_.dies_in_run = true;
  EXPECT_EQ(Run().status(), Status::kTimeout);
  EXPECT_EQ(npu_.failure().cause, Cause::kNoAnswer);
  EXPECT_FALSE(npu_.failure().recovered);
}

TEST_F(NpuTest, NpuThatVanishedBeforeTheRunIsATimeout) {
  ASSERT_EQ(npu_.Open(), Status::kOk);
  port_.answers = false;
  EXPECT_EQ(RunOnly().status(), Status::kTimeout);
}

TEST_F(NpuTest, BusFaultNamesChannelAndPort) {
  port_.status_after_run = reg::kStatusIrqRaised | reg::kStatusBusFault | 1u << 11 | 2u << 12;
  EXPECT_EQ(Run().status(), Status::kDeviceFault);
  EXPECT_EQ(Text(),
            "bus fault on the weight channel of AXI port 1 at stream offset 12, STATUS 0x00002804");
}

TEST_F(NpuTest, EachFaultBitHasItsCause) {
  const struct {
    std::uint32_t status;
    Cause cause;
  } faults[] = {{1u << 4, Cause::kParseFault},
                {1u << 7, Cause::kWeightFault},
                {1u << 8, Cause::kEccFault},
                {0, Cause::kStoppedEarly}};
  for (const auto& fault : faults) {
    port_.status_after_run = reg::kStatusIrqRaised | fault.status;
    EXPECT_EQ(Run().status(), Status::kDeviceFault);
    EXPECT_EQ(npu_.failure().cause, fault.cause);
  }
}

TEST_F(NpuTest, FaultBesidesEndReachedIsStillAFault) {
  port_.status_after_run |= reg::kStatusEccFault;
  EXPECT_EQ(Run().status(), Status::kDeviceFault);
}

TEST_F(NpuTest, ResetsAfterAFaultAndRunsAgain) {
  port_.status_after_run = reg::kStatusIrqRaised | reg::kStatusParseFault;
  EXPECT_EQ(Run().status(), Status::kDeviceFault);
  EXPECT_EQ(port_.events.back(), "reset");
  EXPECT_TRUE(npu_.failure().recovered);
  EXPECT_NE(port_.written[0x040], 0u);  // The AXI limits are set again.

  port_.status_after_run = reg::kStatusIrqRaised | reg::kStatusEndReached;
  EXPECT_TRUE(RunOnly().ok());
}

TEST_F(NpuTest, FailedRunDoesNotInvalidateTheScratch) {
  port_.status_after_run = reg::kStatusIrqRaised | reg::kStatusBusFault;
  (void)Run();
  EXPECT_EQ(port_.Order().find("invalidate"), std::string::npos);
}

TEST_F(NpuTest, StreamThatUsesARegionNobodyGaveIsNotStarted) {
  program_.used_regions = 0b111;
  EXPECT_EQ(Run().status(), Status::kUnsupported);
  EXPECT_EQ(npu_.failure().region, 2u);
  EXPECT_EQ(port_.Order(), "");
}

TEST_F(NpuTest, ScratchSharingACacheLineIsRefused) {
  regions_[1] = Region::Written({npu_memory + 4096, 48});
  EXPECT_EQ(Run().status(), Status::kMisaligned);
  regions_[1] = Region::Written({npu_memory + 4096 + 16, 64});
  EXPECT_EQ(RunOnly().status(), Status::kMisaligned);
}

TEST_F(NpuTest, MisalignedStreamIsRefused) {
  program_.stream = {npu_memory + kStreamAt + 8, 12};
  EXPECT_EQ(Run().status(), Status::kMisaligned);
  EXPECT_EQ(npu_.failure().cause, Cause::kMisalignedStream);
}

TEST_F(NpuTest, AddressMisalignedOnTheNpusSideAloneIsRefused) {
  port_.device_base += 8;
  EXPECT_EQ(Run().status(), Status::kMisaligned);
}

TEST_F(NpuTest, MemoryOutOfTheNpusReachIsRefused) {
  alignas(32) static std::byte elsewhere[64];
  regions_[1] = Region::Written(elsewhere);
  EXPECT_EQ(Run().status(), Status::kBadArgument);
  EXPECT_EQ(npu_.failure().cause, Cause::kUnreachable);
  EXPECT_EQ(npu_.failure().region, 1u);
}

TEST_F(NpuTest, MemoryUpToTheLastAddressOfTheNpuIsInItsReach) {
  port_.device_base = (std::uint64_t{1} << 32) - 4096 - 1024;  // Region 1 ends there.
  EXPECT_TRUE(Run().ok()) << Text();
  port_.device_base += 32;
  EXPECT_EQ(Run().status(), Status::kBadArgument);
  EXPECT_EQ(npu_.failure().cause, Cause::kUnreachable);
}

}  // namespace
}  // namespace pilotlight::ethos_u
