// SPDX-License-Identifier: Apache-2.0
#include "arena.h"

#include <cstring>

#include <executorch/runtime/platform/assert.h>

#include "machine.h"

namespace conformance {
namespace {

constexpr std::size_t kAlignBytes = 64;

std::size_t used_bytes = 0;

}  // namespace

using executorch::runtime::Span;

Arena::Arena() : used_before_(used_bytes) {}
Arena::~Arena() { used_bytes = used_before_; }

Span<std::uint8_t> Arena::Bytes(std::size_t size_bytes, std::size_t offset_bytes) {
  const Span<std::uint8_t> all = AllMemory();
  const std::size_t start = used_bytes + offset_bytes;
  ET_CHECK_MSG(size_bytes <= all.size() - start, "The probe has no memory left");
  used_bytes = (start + size_bytes + kAlignBytes - 1) / kAlignBytes * kAlignBytes;
  std::memset(all.data() + start, 0, size_bytes);
  return {all.data() + start, size_bytes};
}

}  // namespace conformance
