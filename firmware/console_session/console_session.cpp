// SPDX-License-Identifier: Apache-2.0
#include "pilotlight/console_session/console_session.h"

#include "pilotlight/board_config.h"
#include "pilotlight/platform/clock.h"
#include "pilotlight/platform/console.h"
#include "pilotlight/platform/system.h"

namespace pilotlight::console_session {
namespace {

constexpr std::size_t kReadBytes = 256;
// Enough time for the last bytes of the UART at the baud rates of our boards (DESIGN.md).
constexpr std::uint64_t kDrainUs = 10'000;

void ResetAfterDrain() {
  const std::uint64_t drained_us = platform::NowUs() + kDrainUs;
  while (platform::NowUs() < drained_us) {
  }
  platform::Reset();
}

}  // namespace

void ConsoleSink::Write(Span<const std::byte> bytes) { platform::ConsoleWrite(bytes); }

void GatherFacts(const char* build_id, protocol::DeviceFacts& facts) {
  facts.build_id = build_id;
  facts.board = PILOTLIGHT_BOARD_NAME;
  facts.boot_id = platform::BootId();
  facts.cpu_clock_hz = PILOTLIGHT_BOARD_CPU_CLOCK_HZ;
  if (const platform::FaultDump* const dump = platform::TakeFaultDump()) {
    facts.fault_dump = {reinterpret_cast<const std::byte*>(dump), sizeof(*dump)};
  }
}

std::uint64_t Serve(protocol::DeviceSession& session, std::uint64_t deadline_us) {
  std::byte arrived[kReadBytes];
  const std::uint64_t before_us = platform::NowUs();
  const std::size_t count = platform::ConsoleRead(arrived, deadline_us);
  const std::uint64_t waited_us = platform::NowUs() - before_us;
  session.Receive({arrived, count});
  if (session.reset_requested()) ResetAfterDrain();
  return waited_us;
}

}  // namespace pilotlight::console_session
