// SPDX-License-Identifier: Apache-2.0
//
// The mailbox on the host: the page is in the shared file, and a socket is the line.
#include "npu/mailbox_line.h"

#include <poll.h>
#include <sched.h>
#include <sys/socket.h>

#include "host/shared_memory.h"
#include "pilotlight/board_config.h"
#include "pilotlight/platform/clock.h"

namespace pilotlight::platform::mailbox {
namespace {

int Line() {
  static const int line = host::InheritedDescriptor("PILOTLIGHT_NPU_FD");
  return line;
}

std::uint32_t interrupts = 0;

}  // namespace

Page* SharedPage() {
  return static_cast<Page*>(host::SharedAddress(PILOTLIGHT_BOARD_NPU_MAILBOX_ORIGIN));
}

void RingDoorbell() {
  const char byte = 1;
  // A failed send needs no handling. If the socket is full, the simulator has enough bytes to read.
  // If the socket is closed, the page shows that the simulator is gone.
  (void)send(Line(), &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

std::uint32_t InterruptCount() {
  char bytes[64];
  const ssize_t got = recv(Line(), bytes, sizeof(bytes), MSG_DONTWAIT);
  if (got > 0) interrupts += static_cast<std::uint32_t>(got);
  return interrupts;
}

void SleepWhileInterruptCountIs(std::uint32_t seen, std::uint64_t deadline_us) {
  const std::uint64_t now_us = NowUs();
  if (interrupts != seen || deadline_us <= now_us) return;
  const std::uint64_t wait_ms = (deadline_us - now_us) / 1000 + 1;
  pollfd waited{Line(), POLLIN, 0};
  poll(&waited, 1, static_cast<int>(wait_ms < 1000 ? wait_ms : 1000));
  // The other end is closed, so poll() returns at once from now on. Sleep here, or the caller's
  // loop would become a busy loop.
  if ((waited.revents & POLLHUP) != 0) poll(nullptr, 0, 1);
}

void YieldToSimulator() { sched_yield(); }

std::uint64_t NpuAddress(const void* cpu_address) { return host::SharedDeviceAddress(cpu_address); }

}  // namespace pilotlight::platform::mailbox
