// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace pilotlight::platform {

// Differs at each power-up where the board has a source of it, else 0. Provided by the NPU's port:
// the simulator's supervisor draws it.
std::uint32_t PowerUpSeed();

namespace corstone300 {

// Draws this boot's id. Needs the clock and the NPU's port.
void StartSystem();

}  // namespace corstone300
}  // namespace pilotlight::platform
