// SPDX-License-Identifier: Apache-2.0
//
// The memory protection unit, on boards that have one (board.toml [cpu] mpu_regions); elsewhere
// this does nothing.
#pragma once

namespace pilotlight::platform::corstone300 {

// From here on everything is forbidden but what the image has: code is executed and read,
// constants and the model are read, data, arenas and stack are read and written, the registers in
// use are devices. Nothing is mapped at address 0. Once, after .data and .bss are set up.
void EnableMpu();

}  // namespace pilotlight::platform::corstone300
