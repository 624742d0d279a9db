// SPDX-License-Identifier: Apache-2.0
//
// What every fuzz target has: libFuzzer's entry, which AFL++'s driver and replay.cpp call too.
#pragma once

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace pilotlight::fuzz {

// What the last input came to, in a few words ("ran", "method 0x23"); for statistics.
const char* LastOutcome();

}  // namespace pilotlight::fuzz
