// SPDX-License-Identifier: Apache-2.0
//
// A console without interrupts: the thread polls the UART.
#include "pilotlight/platform/console.h"

#include <cstdint>

#include "corstone300/console.h"
#include "corstone300/registers.h"
#include "pilotlight/platform/clock.h"

extern "C" void ConsoleReceiveInterrupt() {}  // vectors.cpp names it; the UART never raises it.

namespace pilotlight::platform {
namespace {

// CMSDK TRM, "APB UART programmers model".
constexpr std::uintptr_t kData = PILOTLIGHT_BOARD_CONSOLE_BASE + 0x00;
constexpr std::uintptr_t kState = PILOTLIGHT_BOARD_CONSOLE_BASE + 0x04;
constexpr std::uint32_t kStateTransmitFull = 1u << 0;
constexpr std::uint32_t kStateReceiveFull = 1u << 1;
constexpr std::uintptr_t kCtrl = PILOTLIGHT_BOARD_CONSOLE_BASE + 0x08;
constexpr std::uint32_t kCtrlTransmitReceive = 3;
constexpr std::uintptr_t kBaudDiv = PILOTLIGHT_BOARD_CONSOLE_BASE + 0x10;
constexpr std::uint64_t kTransmitDeadlineUs = 1'000'000;

// Polls until the bit `mask` of the state is `wanted`. False if the deadline passes first.
bool WaitForState(std::uint32_t mask, std::uint32_t wanted, std::uint64_t deadline_us) {
  while ((corstone300::Register(kState) & mask) != wanted) {
    if (NowUs() >= deadline_us) return false;
  }
  return true;
}

}  // namespace

void corstone300::StartConsole() {
  Register(kBaudDiv) = PILOTLIGHT_BOARD_CONSOLE_DIVIDER;
  Register(kCtrl) = kCtrlTransmitReceive;
}

std::size_t ConsoleRead(Span<std::byte> into, std::uint64_t deadline_us) {
  if (into.empty() || !WaitForState(kStateReceiveFull, kStateReceiveFull, deadline_us)) return 0;
  into[0] = static_cast<std::byte>(corstone300::Register(kData));
  return 1;
}

// The UART holds one byte and does not say that it lost another.
std::uint32_t ConsoleOverruns() { return 0; }

void ConsoleWrite(Span<const std::byte> bytes) {
  for (const std::byte byte : bytes) {
    if (!WaitForState(kStateTransmitFull, 0, NowUs() + kTransmitDeadlineUs)) return;
    corstone300::Register(kData) = std::to_integer<std::uint32_t>(byte);
  }
}

}  // namespace pilotlight::platform
