// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace pilotlight::platform::corstone300 {

void StartConsole();

}  // namespace pilotlight::platform::corstone300
