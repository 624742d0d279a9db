// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace pilotlight::platform {

// Differs at each power-up where the board has a source of it, else 0. Provided by the NPU's port:
// the simulator's supervisor draws it.
std::uint32_t PowerUpSeed();

struct FaultDump;

namespace corstone300 {

// Puts a fault dump where an emulator's host finds it, should the firmware never get far enough to
// be asked for it; does nothing on a board without a mailbox. Provided by the NPU's port. Called by
// the fault handler, with the MPU off.
void ShowFaultDump(const FaultDump& dump);

// Draws this boot's id. Needs the clock and the NPU's port.
void StartSystem();

}  // namespace corstone300
}  // namespace pilotlight::platform
