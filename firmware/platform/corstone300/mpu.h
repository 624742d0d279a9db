// SPDX-License-Identifier: Apache-2.0
//
// The memory protection unit, on boards that have one ([cpu] mpu_regions in board.toml). On other
// boards this does nothing.
#pragma once

namespace pilotlight::platform::corstone300 {

// Allows only the accesses that the image needs: execute and read code; read constants and the
// model; read and write data, arenas, stack and the registers in use. Call once, after .data and
// .bss are set up.
void EnableMpu();

}  // namespace pilotlight::platform::corstone300
