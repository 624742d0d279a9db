// SPDX-License-Identifier: Apache-2.0
//
// Connects a protocol::DeviceSession with the board's console, for all apps that use the
// protocol. It knows nothing about models.
#pragma once

#include <cstdint>

#include "pilotlight/protocol/device_session.h"
#include "pilotlight/protocol/frame.h"

namespace pilotlight::console_session {

// Sends frames to the console.
class ConsoleSink final : public protocol::ByteSink {
 public:
  void Write(Span<const std::byte> bytes) override;
};

// Sets the members of `facts` about board and image, and the fault dump of an earlier boot.
// A call takes the dump, so a second call finds none. `build_id` is that of the image
// (pilotlight/build_id.h).
void GatherFacts(const char* build_id, protocol::DeviceFacts& facts);

// Waits for bytes from the console until `deadline_us`, a platform::NowUs() value, and passes
// them to `session`. Returns the time that it waited, in microseconds. After the answer to RESET,
// this function resets the board and does not return. Thread context only.
std::uint64_t Serve(protocol::DeviceSession& session, std::uint64_t deadline_us);

}  // namespace pilotlight::console_session
