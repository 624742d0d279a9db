// SPDX-License-Identifier: Apache-2.0
//
// The entry point of every fuzz target. libFuzzer, AFL++'s driver and replay.cpp call it.
#pragma once

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace pilotlight::fuzz {

// The outcome of the last input in a few words ("ran", "method 0x23"), for statistics.
const char* LastOutcome();

}  // namespace pilotlight::fuzz
