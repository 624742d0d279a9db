// SPDX-License-Identifier: Apache-2.0
#include "pilotlight/platform/system.h"

#include "corstone300/registers.h"
#include "corstone300/stack.h"
#include "corstone300/system.h"
#include "pilotlight/platform/clock.h"

extern "C" {
extern std::uint32_t __stack_limit[], __stack_top[];
}

namespace pilotlight::platform {
namespace {

constexpr std::uint32_t kStackPaint = 0x5AA5C33C;

// Counts boots since power-up, from a random value.
__attribute__((section(".noinit"))) std::uint32_t boots;
std::uint32_t boot_id;

// Spreads each input bit over the word: the finaliser of MurmurHash3, which is in the public
// domain.
std::uint32_t Mix(std::uint32_t x) {
  x = (x ^ (x >> 16)) * 0x85EBCA6Bu;
  x = (x ^ (x >> 13)) * 0xC2B2AE35u;
  return x ^ (x >> 16);
}

}  // namespace

namespace corstone300 {

__attribute__((noinline)) void PaintStack() {
  const auto* here = static_cast<std::uint32_t*>(__builtin_frame_address(0));
  // 16 words leave room for this function's own frame.
  for (volatile std::uint32_t* word = __stack_limit; word < here - 16; ++word) *word = kStackPaint;
}

void StartSystem() {
  boots = boots + 1;
  boot_id = Mix(PowerUpSeed() ^ Mix(boots));
}

}  // namespace corstone300

void Reset() {
  corstone300::DataSyncBarrier();
  corstone300::Register(corstone300::kAircr) = corstone300::kAircrSysResetReq;
  corstone300::DataSyncBarrier();
  for (;;) {
  }
}

std::size_t StackHighWaterBytes() {
  const std::uint32_t* word = __stack_limit;
  while (word < __stack_top && *word == kStackPaint) ++word;
  return static_cast<std::size_t>(__stack_top - word) * sizeof(std::uint32_t);
}

std::size_t StackSizeBytes() { return PILOTLIGHT_BOARD_STACK_BYTES; }

std::uint32_t BootId() { return boot_id; }

}  // namespace pilotlight::platform
