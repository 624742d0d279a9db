// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace pilotlight::platform::corstone300 {

// Fills the unused stack with a pattern, so that StackHighWaterBytes() can find the deepest use.
void PaintStack();

}  // namespace pilotlight::platform::corstone300
