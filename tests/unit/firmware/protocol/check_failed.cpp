// SPDX-License-Identifier: Apache-2.0
//
// Replaces the function of platform/, because these tests link no platform.
#include "pilotlight/base/check.h"

#include <cstdio>
#include <cstdlib>

void pilotlight::CheckFailed(const char* file, int line, const char* expression) {
  std::fprintf(stderr, "%s:%d: CHECK failed: %s\n", file, line, expression);
  std::abort();
}
