// SPDX-License-Identifier: Apache-2.0
//
// Starts what inference needs of the chip: the clock and the way to the NPU.
// Everything else a board brings (vectors, memory, faults, console) is start-up,
// which an app may have of its own.
#pragma once

namespace pilotlight::platform {

// Once per boot, in thread context; later calls do nothing. Set hooks before it.
void StartPort();

}  // namespace pilotlight::platform
