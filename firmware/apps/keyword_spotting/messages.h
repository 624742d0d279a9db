// SPDX-License-Identifier: Apache-2.0
//
// The message numbers and limits of SPEC.md.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pilotlight/protocol/message.h"

namespace pilotlight::keyword_spotting {

inline constexpr auto kDescribeAudio = static_cast<protocol::MessageType>(0x20);
inline constexpr auto kStart = static_cast<protocol::MessageType>(0x21);
inline constexpr auto kAudio = static_cast<protocol::MessageType>(0x22);
inline constexpr auto kFinish = static_cast<protocol::MessageType>(0x23);
inline constexpr auto kStatistics = static_cast<protocol::MessageType>(0x24);

inline constexpr auto kFeatures = static_cast<protocol::MessageType>(0xD0);
inline constexpr auto kInference = static_cast<protocol::MessageType>(0xD1);
inline constexpr auto kKeyword = static_cast<protocol::MessageType>(0xD2);

inline constexpr std::uint32_t kReportFeatures = 1u << 0;
inline constexpr std::uint32_t kReportInferences = 1u << 1;

// One AUDIO has up to 32 ms. `kWindow` of them fit into the console's buffer during an inference.
inline constexpr std::uint16_t kMaxSamples = 512;
inline constexpr std::uint16_t kMaxChunkBytes = kMaxSamples * 2;
inline constexpr std::uint8_t kWindow = 4;
inline constexpr std::size_t kBodyBytes = kMaxChunkBytes + protocol::kBodyOverheadBytes;
static_assert(kBodyBytes >= protocol::kMinBodyBytes);

}  // namespace pilotlight::keyword_spotting
