// SPDX-License-Identifier: Apache-2.0
//
// For our own bugs only: an invariant that cannot be false unless this code is
// wrong. Hardware, environment and files are a Status, never a CHECK.
#pragma once

namespace pilotlight {

// Records where and resets (target) or aborts (host). Provided by platform/.
[[noreturn]] void CheckFailed(const char* file, int line, const char* expression);

}  // namespace pilotlight

#define PILOTLIGHT_CHECK(expression)                                               \
  do {                                                                             \
    if (!(expression)) ::pilotlight::CheckFailed(__FILE__, __LINE__, #expression); \
  } while (0)
