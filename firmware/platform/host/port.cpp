// SPDX-License-Identifier: Apache-2.0
#include "pilotlight/platform/port.h"

namespace pilotlight::platform {

// The supervisor has made the shared file and the socket before the process began.
void StartPort() {}

}  // namespace pilotlight::platform
