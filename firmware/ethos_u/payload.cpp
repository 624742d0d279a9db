// SPDX-License-Identifier: Apache-2.0
#include "pilotlight/ethos_u/payload.h"

#include "little_endian.h"
#include "npu_product.h"
#include "pilotlight/ethos_u/registers.h"

namespace pilotlight::ethos_u {
namespace {

constexpr std::uint32_t kMagic1 = 0x31504F43;  // "COP1"
constexpr std::uint32_t kMagic2 = 0x32504F43;  // "COP2"
constexpr std::size_t kWordBytes = 4;
constexpr std::size_t kStreamAlignBytes = 16;

// COP2: the words that have one legal value, and places of others.
struct FixedWord {
  std::uint32_t word;
  std::uint32_t value;
};
constexpr FixedWord kFixedWords[] = {{1, 1},  // Version 1.0.
                                     {3, 0},  // Upper half of the size.
                                     {4, 1},  // The only entry is a command stream.
                                     {7, 0x4D554556},
                                     {8, 1},    // "VEUM", version 1.0: facts about the stream.
                                     {9, 20}};  // Bytes of these facts.
constexpr std::size_t kSizeWord = 2, kEntrySizeWord = 5, kFactsSizeWord = 6, kConfigWord = 10;
// What a size counts begins after its word and the one that follows it, or after its word.
constexpr std::size_t kSizeAfter = 16, kEntrySizeAfter = 24, kFactsAfter = 28;
constexpr std::size_t kFactsBytes = 32;

// The low byte of an action word.
enum Action : std::uint32_t {
  kOptimizerConfig = 1,  // CONFIG and ID of the NPU compiled for follow.
  kCommandStream = 2,    // Length in words: bits 23..16 in bits 15..8, bits 15..0 in bits 31..16.
  kNop = 5,
};

}  // namespace

Status ParsePayload(Span<const std::byte> bytes, Payload& payload, Failure& failure) {
  std::size_t at = 0;
  const auto fail = [&](Status status, Cause cause) {
    failure = {};
    failure.status = status;
    failure.cause = cause;
    failure.offset = static_cast<std::uint32_t>(at);
    return status;
  };

  payload = {};
  const auto word = [&](std::size_t index) { return LoadU32(bytes.data() + index * kWordBytes); };
  if (bytes.size() % kWordBytes != 0 || bytes.size() < kWordBytes) {
    return fail(Status::kBadModel, Cause::kBadPayload);
  }
  if (word(0) == kMagic2 && bytes.size() > kFactsAfter + kFactsBytes) {
    for (const FixedWord& fixed : kFixedWords) {
      at = fixed.word * kWordBytes;
      if (word(fixed.word) != fixed.value) {
        return fail(Status::kUnsupported, Cause::kForeignPayload);
      }
    }
    const std::size_t facts_bytes = word(kFactsSizeWord);
    at = kFactsSizeWord * kWordBytes;
    if (word(kSizeWord) != bytes.size() - kSizeAfter ||
        word(kEntrySizeWord) != bytes.size() - kEntrySizeAfter || facts_bytes < kFactsBytes ||
        facts_bytes >= bytes.size() - kFactsAfter ||
        (kFactsAfter + facts_bytes) % kStreamAlignBytes != 0) {
      return fail(Status::kBadModel, Cause::kBadPayload);
    }
    payload.built_for = {word(kConfigWord), word(kConfigWord + 1)};
    payload.stream =
        bytes.subspan(kFactsAfter + facts_bytes, bytes.size() - kFactsAfter - facts_bytes);
    return Status::kOk;
  }
  if (word(0) != kMagic1) return fail(Status::kBadModel, Cause::kBadPayload);

  bool has_config = false;
  at = kWordBytes;
  while (at < bytes.size()) {
    const std::uint32_t action = LoadU32(bytes.data() + at);
    const std::size_t words_after = (bytes.size() - at) / kWordBytes - 1;
    switch (action & 0xFF) {
      case kOptimizerConfig:
        if (words_after < 2 || has_config) return fail(Status::kBadModel, Cause::kBadPayload);
        has_config = true;
        payload.built_for.config = LoadU32(bytes.data() + at + kWordBytes);
        payload.built_for.id = LoadU32(bytes.data() + at + 2 * kWordBytes);
        at += 3 * kWordBytes;
        break;

      case kCommandStream: {
        const std::size_t length = (action >> 8 & 0xFF) << 16 | action >> 16;
        if (!payload.stream.empty()) return fail(Status::kUnsupported, Cause::kForeignPayload);
        if (length == 0 || length > words_after) {
          return fail(Status::kBadModel, Cause::kBadPayload);
        }
        at += kWordBytes;
        if (at % kStreamAlignBytes != 0) return fail(Status::kBadModel, Cause::kBadPayload);
        payload.stream = bytes.subspan(at, length * kWordBytes);
        at += length * kWordBytes;
        break;
      }

      case kNop:
        at += kWordBytes;
        break;

      default:
        return fail(Status::kUnsupported, Cause::kForeignPayload);
    }
  }
  if (payload.stream.empty() || !has_config) return fail(Status::kBadModel, Cause::kBadPayload);
  return Status::kOk;
}

bool Runs(const NpuIdentity& built_for, const NpuIdentity& hardware) {
  const NpuProduct* const product = FindProduct(hardware);
  if (product == nullptr) return false;
  if (((built_for.config ^ hardware.config) & product->config_match) != 0) return false;
  if (reg::kConfigCustomDma.Get(built_for.config) > reg::kConfigCustomDma.Get(hardware.config)) {
    return false;
  }
  return reg::kIdArchMajor.Get(built_for.id) == reg::kIdArchMajor.Get(hardware.id) &&
         reg::kIdArchMinor.Get(built_for.id) <= reg::kIdArchMinor.Get(hardware.id);
}

}  // namespace pilotlight::ethos_u
