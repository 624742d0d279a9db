// SPDX-License-Identifier: Apache-2.0
//
// The console UART as a byte stream. Thread context only. The protocol module defines
// the meaning of the bytes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pilotlight/base/span.h"
#include "pilotlight/base/status.h"

namespace pilotlight::platform {

// Copies received bytes into `into` and returns their number. Returns as soon as at least
// one byte is there, and 0 if none arrived before `deadline_us` (a clock.h NowUs() value).
// Sleeps (WFI) meanwhile.
std::size_t ConsoleRead(Span<std::byte> into, std::uint64_t deadline_us);

// Bytes that were lost because the receive buffer was full; 0 on a good link.
std::uint32_t ConsoleOverruns();

// Sends all of `bytes`. Returns when the last byte is in the transmitter. Gives up if
// nothing takes a byte for a second.
void ConsoleWrite(Span<const std::byte> bytes);

}  // namespace pilotlight::platform
