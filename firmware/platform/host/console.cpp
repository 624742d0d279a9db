// SPDX-License-Identifier: Apache-2.0
//
// The console is a socket from the supervisor. Without a supervisor, the console is the terminal.
#include "pilotlight/platform/console.h"

#include <poll.h>
#include <unistd.h>

#include <cstdlib>

#include "host/shared_memory.h"
#include "pilotlight/platform/clock.h"

namespace pilotlight::platform {
namespace {

int Descriptor(int otherwise) {
  static const int inherited = host::InheritedDescriptor("PILOTLIGHT_CONSOLE_FD");
  return inherited >= 0 ? inherited : otherwise;
}

}  // namespace

std::size_t ConsoleRead(Span<std::byte> into, std::uint64_t deadline_us) {
  if (into.empty()) return 0;
  const int from = Descriptor(STDIN_FILENO);
  for (;;) {
    const std::uint64_t now_us = NowUs();
    const std::uint64_t wait_ms = deadline_us > now_us ? (deadline_us - now_us + 999) / 1000 : 0;
    pollfd waited{from, POLLIN, 0};
    if (poll(&waited, 1, static_cast<int>(wait_ms < 1000 ? wait_ms : 1000)) > 0) {
      const ssize_t got = read(from, into.data(), into.size());
      if (got > 0) return static_cast<std::size_t>(got);
      // The other end does not come back, and a board without a console has nothing left to do.
      std::exit(0);
    }
    if (NowUs() >= deadline_us) return 0;
  }
}

// The kernel buffers received bytes until they are read.
std::uint32_t ConsoleOverruns() { return 0; }

void ConsoleWrite(Span<const std::byte> bytes) {
  const int to = Descriptor(STDOUT_FILENO);
  std::size_t done = 0;
  while (done < bytes.size()) {
    // The UART port also gives up after a second.
    pollfd waited{to, POLLOUT, 0};
    if (poll(&waited, 1, 1000) <= 0) return;
    const ssize_t wrote = write(to, bytes.data() + done, bytes.size() - done);
    if (wrote <= 0) return;
    done += static_cast<std::size_t>(wrote);
  }
}

}  // namespace pilotlight::platform
