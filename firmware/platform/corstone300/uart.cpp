// SPDX-License-Identifier: Apache-2.0
#include "corstone300/uart.h"

#include "corstone300/registers.h"
#include "pilotlight/platform/clock.h"

namespace pilotlight::platform::corstone300 {
namespace {

// CMSDK TRM, "APB UART programmers model".
constexpr std::uintptr_t kData = 0x00;
constexpr std::uintptr_t kState = 0x04;
constexpr std::uint32_t kStateTransmitFull = 1u << 0;
constexpr std::uint32_t kStateReceiveFull = 1u << 1;
constexpr std::uintptr_t kCtrl = 0x08;
constexpr std::uint32_t kCtrlTransmit = 1u << 0;
constexpr std::uint32_t kCtrlReceive = 1u << 1;
constexpr std::uint32_t kCtrlReceiveInterrupt = 1u << 3;
constexpr std::uintptr_t kIntClear = 0x0C;
constexpr std::uint32_t kIntReceive = 1u << 1;
constexpr std::uintptr_t kBaudDiv = 0x10;

constexpr std::uint64_t kTransmitDeadlineUs = 1'000'000;

}  // namespace

void Uart::Start(std::uint32_t divider, std::uint32_t receive_irq) {
  Register(base_ + kBaudDiv) = divider;
  Register(base_ + kCtrl) = kCtrlTransmit | kCtrlReceive | kCtrlReceiveInterrupt;
  EnableInterrupt(receive_irq);
}

bool Uart::Send(std::byte byte) {
  if ((Register(base_ + kState) & kStateTransmitFull) != 0) {
    const std::uint64_t deadline_us = NowUs() + kTransmitDeadlineUs;
    while ((Register(base_ + kState) & kStateTransmitFull) != 0) {
      if (NowUs() >= deadline_us) return false;
    }
  }
  Register(base_ + kData) = std::to_integer<std::uint32_t>(byte);
  return true;
}

void Uart::ClearReceiveInterrupt() { Register(base_ + kIntClear) = kIntReceive; }

bool Uart::Receive(std::byte& into) {
  if ((Register(base_ + kState) & kStateReceiveFull) == 0) return false;
  into = static_cast<std::byte>(Register(base_ + kData));
  return true;
}

}  // namespace pilotlight::platform::corstone300
