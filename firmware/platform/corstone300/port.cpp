// SPDX-License-Identifier: Apache-2.0
#include "pilotlight/platform/port.h"

#include "corstone300/clock.h"
#include "pilotlight/platform/hooks.h"

extern "C" void NpuPortStart();  // mailbox_line.cpp or bus_port.cpp

namespace pilotlight::platform {

void StartPort() {
  static bool started = false;
  if (started) return;
  started = true;
  corstone300::StartCounter();  // CpuCycles() needs the counter too.
  // An app that sets both hooks may use the timer itself.
  if (Hooks().now_us == nullptr || Hooks().wait == nullptr) corstone300::StartTimer();
  NpuPortStart();
}

}  // namespace pilotlight::platform
