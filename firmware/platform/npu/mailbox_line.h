// SPDX-License-Identifier: Apache-2.0
//
// How a mailbox port reaches the simulator: where the page is, how to ring, how an interrupt
// arrives. One implementation per platform; the protocol on top is in mailbox_port.cpp.
#pragma once

#include <cstdint>

#include "npu/mailbox.h"

namespace pilotlight::platform::mailbox {

// Null when nothing is behind the board (a host process without its supervisor).
Page* SharedPage();

void RingDoorbell();

// Interrupts since start-up, modulo 2^32.
std::uint32_t InterruptCount();

// Returns when InterruptCount() is no longer `seen`, when `deadline_us` came, or earlier.
void SleepWhileInterruptCountIs(std::uint32_t seen, std::uint64_t deadline_us);

// Gives the simulator's process a chance to run on a machine with few cores.
void YieldToSimulator();

// The address at which the NPU finds `cpu_address`, which need not be visible to it.
std::uint64_t NpuAddress(const void* cpu_address);

}  // namespace pilotlight::platform::mailbox
