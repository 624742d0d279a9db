// SPDX-License-Identifier: Apache-2.0
//
// CHECK is only for our own bugs: it tests an invariant that is false only if this code is wrong.
// Problems with hardware, environment or files are a Status, never a CHECK.
#pragma once

namespace pilotlight {

// Records the place, then resets the target or aborts on a host. Implemented by platform/.
[[noreturn]] void CheckFailed(const char* file, int line, const char* expression);

}  // namespace pilotlight

#define PILOTLIGHT_CHECK(expression)                                               \
  do {                                                                             \
    if (!(expression)) ::pilotlight::CheckFailed(__FILE__, __LINE__, #expression); \
  } while (0)
