// SPDX-License-Identifier: Apache-2.0
//
// The page that a mailbox port shares with the NPU simulator. MAILBOX.md describes every byte.
// python/pilotlight/targets/mailbox.py is the other side.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pilotlight::platform::mailbox {

inline constexpr std::uint32_t kMagic = 0x424D4C50;  // "PLMB"
inline constexpr std::uint32_t kVersion = 2;
inline constexpr std::uint32_t kFifoEntries = 64;
inline constexpr std::uint32_t kRegisterBytes = 0x2000;

struct PostedWrite {
  volatile std::uint32_t offset;
  volatile std::uint32_t value;
};

struct Page {
  volatile std::uint32_t magic;
  volatile std::uint32_t version;
  volatile std::uint32_t seed;
  volatile std::uint32_t present;
  volatile std::uint32_t head;
  volatile std::uint32_t tail;
  volatile std::uint32_t interrupts;
  volatile std::uint32_t computing;
  std::uint32_t reserved[56];
  PostedWrite fifo[kFifoEntries];
  std::uint32_t reserved2[832];
  volatile std::uint32_t registers[kRegisterBytes / 4];
  std::uint8_t kept[0x1000];
};
static_assert(offsetof(Page, fifo) == 0x100);
static_assert(offsetof(Page, registers) == 0x1000);
static_assert(offsetof(Page, kept) == 0x3000);
static_assert(sizeof(Page) == 0x4000);

}  // namespace pilotlight::platform::mailbox
