// SPDX-License-Identifier: Apache-2.0
//
// One CMSDK APB UART: polled transmit, interrupt-driven receive.
#pragma once

#include <cstdint>

#include "pilotlight/base/span.h"

namespace pilotlight::platform::corstone300 {

class Uart {
 public:
  constexpr explicit Uart(std::uintptr_t base) : base_(base) {}

  // Enables transmitter, receiver and the receive interrupt. `divider`: input clock cycles per bit,
  // >= 16.
  void Start(std::uint32_t divider, std::uint32_t receive_irq);

  // Blocks while the transmitter is full. Returns false when it stayed so for a second: nobody
  // takes the bytes.
  bool Send(std::byte byte);

  // The receive interrupt calls the first, then the second until it returns false: a byte that
  // arrives after that last look raises the interrupt again.
  void ClearReceiveInterrupt();
  bool Receive(std::byte& into);

 private:
  std::uintptr_t base_;
};

}  // namespace pilotlight::platform::corstone300
