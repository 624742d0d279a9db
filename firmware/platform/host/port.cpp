// SPDX-License-Identifier: Apache-2.0
#include "pilotlight/platform/port.h"

namespace pilotlight::platform {

// The supervisor made the shared file and the socket before it started this process.
void StartPort() {}

}  // namespace pilotlight::platform
