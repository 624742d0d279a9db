// SPDX-License-Identifier: Apache-2.0
//
// The host's platform without a supervisor. Unit tests of other modules depend on it.
#include <gtest/gtest.h>

#include <string>

#include "pilotlight/base/check.h"
#include "pilotlight/platform/clock.h"
#include "pilotlight/platform/npu_port.h"
#include "pilotlight/platform/system.h"

namespace pilotlight::platform {
namespace {

std::string logged;

TEST(HostPlatform, TimeOnlyMovesForward) {
  const std::uint64_t first = CpuCycles();
  const std::uint64_t second = CpuCycles();
  EXPECT_LE(first, second);
  EXPECT_LE(first / 1000, NowUs());
}

TEST(HostPlatform, ABootHasOneId) { EXPECT_EQ(BootId(), BootId()); }

TEST(HostPlatform, NoNpuIsThereAndNothingWaitsForIt) {
  const std::uint64_t before = NowUs();
  EXPECT_FALSE(BoardNpuPort().alive());
  BoardNpuPort().ArmIrq();
  EXPECT_FALSE(BoardNpuPort().WaitForIrq(NowUs() + 10'000'000));
  EXPECT_LT(NowUs() - before, 1'000'000u);
}

TEST(HostPlatform, ThereIsNoFaultToReport) { EXPECT_EQ(TakeFaultDump(), nullptr); }

TEST(HostPlatform, LogTextGoesToTheSinkAndNowhereWithoutOne) {
  Log(LogLevel::kError, "dropped", 7);
  SetLogSink([](LogLevel, const char* text, std::size_t length) { logged.assign(text, length); });
  Log(LogLevel::kError, "kept as is", 4);
  SetLogSink(nullptr);
  EXPECT_EQ(logged, "kept");
}

TEST(HostPlatformDeathTest, AFailedCheckStopsAndNamesItsLine) {
  EXPECT_DEATH(PILOTLIGHT_CHECK(1 + 1 == 3), "host_test.cpp:[0-9]+: CHECK failed: 1 \\+ 1 == 3");
}

}  // namespace
}  // namespace pilotlight::platform
