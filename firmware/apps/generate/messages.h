// SPDX-License-Identifier: Apache-2.0
//
// The message numbers and limits of SPEC.md.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pilotlight/protocol/message.h"

namespace pilotlight::generate {

inline constexpr auto kDescribeText = static_cast<protocol::MessageType>(0x20);
inline constexpr auto kSampler = static_cast<protocol::MessageType>(0x21);
inline constexpr auto kGenerate = static_cast<protocol::MessageType>(0x22);

inline constexpr auto kStep = static_cast<protocol::MessageType>(0xD0);

inline constexpr std::uint16_t kNoToken = 0xFFFF;

// Why a GENERATE ended.
enum class End : std::uint8_t { kCount = 0, kStopToken = 1, kContextFull = 2, kFailed = 3 };

inline constexpr std::size_t kGenerateHeadBytes = 12;
inline constexpr std::uint16_t kMaxTokens = 480;  // In one GENERATE.
inline constexpr std::uint16_t kMaxChunkBytes = 1040;
inline constexpr std::uint8_t kWindow = 1;
inline constexpr std::size_t kBodyBytes = kMaxChunkBytes + protocol::kBodyOverheadBytes;
static_assert(kBodyBytes >= protocol::kMinBodyBytes);

}  // namespace pilotlight::generate
