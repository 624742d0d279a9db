// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace pilotlight::platform {

// A random number, drawn by the supervisor at each power-up; 0 on a board without a mailbox. The
// NPU's port implements this.
std::uint32_t PowerUpSeed();

struct FaultDump;

namespace corstone300 {

// Copies a fault dump to the mailbox page, where the supervisor finds it even if the firmware never
// boots far enough to be asked. Does nothing on a board without a mailbox. The NPU's port
// implements this. The fault handler calls it, with the MPU off.
void ShowFaultDump(const FaultDump& dump);

// Makes this boot's id from PowerUpSeed().
void StartSystem();

}  // namespace corstone300
}  // namespace pilotlight::platform
