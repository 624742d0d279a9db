// SPDX-License-Identifier: Apache-2.0
//
// The mailbox port's connection to the simulator: the page, the doorbell and the interrupt. There
// is one implementation per platform. mailbox_port.cpp has the protocol.
#pragma once

#include <cstdint>

#include "npu/mailbox.h"

namespace pilotlight::platform::mailbox {

// Null if there is no simulator (a host process without a supervisor).
Page* SharedPage();

void RingDoorbell();

// Interrupts since start-up, modulo 2^32.
std::uint32_t InterruptCount();

// Sleeps until InterruptCount() differs from `seen`, or until `deadline_us`. May return early.
void SleepWhileInterruptCountIs(std::uint32_t seen, std::uint64_t deadline_us);

// Lets the simulator's process run, on a host with few cores.
void YieldToSimulator();

// The NPU's address of `cpu_address`. The NPU may be unable to reach this address.
std::uint64_t NpuAddress(const void* cpu_address);

}  // namespace pilotlight::platform::mailbox
