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
  port_.config = 0x30000118;
  EXPECT_EQ(npu_.Open(), Status::kWrongNpu);
  EXPECT_NE(Text().find("unknown product-256 (CONFIG 0x30000118"), std::string::npos) << Text();
}

TEST_F(NpuTest, MemoryTypeOfThePlatformIsInEveryAttributeSet) {
  NpuOptions options;
  options.memory_type = 2;
  Npu npu(port_, options);
  ASSERT_EQ(npu.Open(), Status::kOk);
  for (std::uint32_t offset = 0x040; offset < 0x050; offset += 4) {
    EXPECT_EQ(port_.written[offset], 31u << 16 | 15u << 24 | 2u << 4);
  }
}

class U85Test : public NpuTest {
 protected:
  void SetUp() override {
    NpuTest::SetUp();
    port_.BecomeU85();
  }
};

TEST_F(U85Test, OpenReadsWhichNpuThisIs) {
  ASSERT_EQ(npu_.Open(), Status::kOk);
  EXPECT_STREQ(npu_.identity().family(), "ethos-u85");
  EXPECT_EQ(npu_.identity().macs(), 256u);
}

TEST_F(U85Test, OpenSetsMemoryAttributesAndTheLimitsOfBothPorts) {
  ASSERT_EQ(npu_.Open(), Status::kOk);
  const std::map<std::uint32_t, std::uint32_t> expected = {
      {0x008, 0},
      {0x00C, 1},  // CMD, RESET
      {0x038, 0},  // POWER_CTRL
      {0x040, 0},
      {0x044, 0},  // MEM_ATTR0, 1: SRAM port
      {0x048, 1u << 2},
      {0x04C, 1u << 2},
      {0x050, 11 | 15u << 8 | 2u << 16},  // AXI_SRAM: 12 reads, 16 writes, 256 bytes
      {0x054, 63 | 31u << 8 | 2u << 16}};
  EXPECT_EQ(port_.written, expected);
}

TEST_F(U85Test, MemoryTypeOfThePlatformIsInEveryAttributeSetAndInNoLimit) {
  NpuOptions options;
  options.memory_type = 2;
  Npu npu(port_, options);
  ASSERT_EQ(npu.Open(), Status::kOk);
  EXPECT_EQ(port_.written[0x040], 0x20u);
  EXPECT_EQ(port_.written[0x044], 0x20u);
  EXPECT_EQ(port_.written[0x048], 0x24u);
  EXPECT_EQ(port_.written[0x04C], 0x24u);
  EXPECT_EQ(port_.written[0x050], 11u | 15u << 8 | 2u << 16);
}

TEST_F(U85Test, CountsInItsOwnWindow) {
  Result<RunStats> stats = Run();
  ASSERT_TRUE(stats.ok());
  EXPECT_EQ(stats.value().cycles, 0x0002'00000010u);
  EXPECT_EQ(stats.value().events[3], 100u + 0x30C);
  EXPECT_EQ(port_.written[0x1380], 35u);
  EXPECT_EQ(port_.written[0x1184], 0x8000000Fu);
  EXPECT_EQ(port_.written.count(0x1180), 1u);
  for (const auto& [offset, value] : port_.written) {
    EXPECT_TRUE(offset < 0x100 || offset >= 0x1000) << offset << ": " << value;
  }
}

TEST_F(U85Test, ReachesAddressesOf40Bits) {
  port_.device_base = std::uint64_t{0xFE} << 32;
  ASSERT_TRUE(Run().ok()) << Text();
  EXPECT_EQ(port_.written[0x010], kStreamAt);
  EXPECT_EQ(port_.written[0x014], 0xFEu);
  EXPECT_EQ(port_.written[0x080], 1024u);
  EXPECT_EQ(port_.written[0x084], 0xFEu);
  port_.device_base = std::uint64_t{1} << 40;
  EXPECT_EQ(RunOnly().status(), Status::kBadArgument);
}

TEST_F(U85Test, BranchFaultHasItsCauseAndTheBitOfAnotherProductHasNone) {
  port_.status_after_run = reg::kStatusIrqRaised | reg::kStatusEndReached | 1u << 9;
  EXPECT_EQ(Run().status(), Status::kDeviceFault);
  EXPECT_EQ(npu_.failure().cause, Cause::kBranchFault);
  EXPECT_NE(Text().find("the NPU refused a branch at stream offset"), std::string::npos) << Text();
  port_.status_after_run = reg::kStatusIrqRaised | reg::kStatusEndReached | 1u << 7;
  EXPECT_TRUE(RunOnly().ok());
}

TEST_F(U85Test, BranchFaultOfARunningNpuIsNotWaitedFor) {
  port_.status_after_run = reg::kStatusRunning | reg::kStatusIrqRaised | 1u << 9;
  EXPECT_EQ(Run().status(), Status::kDeviceFault);
}

TEST_F(U85Test, SetsEverythingAgainAfterAFault) {
  port_.status_after_run = reg::kStatusIrqRaised | reg::kStatusBusFault | 1u << 11 | 9u << 12;
  EXPECT_EQ(Run().status(), Status::kDeviceFault);
  EXPECT_NE(Text().find("DMA write channel of AXI port 1"), std::string::npos) << Text();
  EXPECT_EQ(port_.written[0x04C], 1u << 2);
  EXPECT_EQ(port_.written[0x054], 63u | 31u << 8 | 2u << 16);
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
