// SPDX-License-Identifier: Apache-2.0
//
// One CMSDK APB UART: transmits by polling, receives by interrupt.
#pragma once

#include <cstdint>

#include "pilotlight/base/span.h"

namespace pilotlight::platform::corstone300 {

class Uart {
 public:
  constexpr explicit Uart(std::uintptr_t base) : base_(base) {}

  // Enables transmitter, receiver and the receive interrupt. `divider` is the number of input clock
  // cycles per bit, at least 16.
  void Start(std::uint32_t divider, std::uint32_t receive_irq);

  // Blocks while the transmitter is full. Returns false if the transmitter stays full for a second.
  bool Send(std::byte byte);

  // For the receive interrupt: call ClearReceiveInterrupt(), then Receive() until it returns false.
  // A byte that arrives later raises the interrupt again.
  void ClearReceiveInterrupt();
  bool Receive(std::byte& into);

 private:
  std::uintptr_t base_;
};

}  // namespace pilotlight::platform::corstone300
