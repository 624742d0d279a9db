// SPDX-License-Identifier: Apache-2.0
//
// Starts the parts of the chip that inference needs: the clock and the port to the NPU.
// All other parts of a board (vectors, memory, faults, console) belong to the start-up
// code, and an app may have its own.
#pragma once

namespace pilotlight::platform {

// Thread context. Set the hooks before the first call. Later calls do nothing.
void StartPort();

}  // namespace pilotlight::platform
