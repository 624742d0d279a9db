// SPDX-License-Identifier: Apache-2.0
//
// The console UART as a byte stream. Thread context only. The protocol module
// owns what the bytes mean; nothing else writes here.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pilotlight/base/span.h"
#include "pilotlight/base/status.h"

namespace pilotlight::platform {

// Copies bytes that have arrived into `into` and returns how many; 0 when none
// arrived before `deadline_us` (a clock.h NowUs() value). Returns as soon as at
// least one byte is there; sleeps (WFI) while there is none.
std::size_t ConsoleRead(Span<std::byte> into, std::uint64_t deadline_us);

// Bytes that arrived while nobody read and no longer fitted; 0 on a good link.
std::uint32_t ConsoleOverruns();

// Sends all of `bytes`; returns when the last is in the transmitter.
void ConsoleWrite(Span<const std::byte> bytes);

}  // namespace pilotlight::platform
