// SPDX-License-Identifier: Apache-2.0
//
// A protocol::DeviceSession over the board's console: what every app that speaks the protocol
// does between platform/ and protocol/. It knows nothing about models.
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

// Sets the members of `facts` that concern board and image, and the dump that an earlier boot
// left behind. The dump is taken: a second call finds none. build_id: of the image, from its
// pilotlight/build_id.h.
void GatherFacts(const char* build_id, protocol::DeviceFacts& facts);

// Waits for bytes from the console until `deadline_us` (platform::NowUs()), at most, and hands
// them to `session`. Resets the board once RESET was acknowledged; then it does not return.
// Returns the time that it waited, in microseconds. Thread context.
std::uint64_t Serve(protocol::DeviceSession& session, std::uint64_t deadline_us);

}  // namespace pilotlight::console_session
