// SPDX-License-Identifier: Apache-2.0
#include "pilotlight/ethos_u/payload.h"

#include "little_endian.h"
#include "pilotlight/ethos_u/registers.h"

namespace pilotlight::ethos_u {
namespace {

constexpr std::uint32_t kMagic = 0x31504F43;  // "COP1"
constexpr std::size_t kWordBytes = 4;
constexpr std::size_t kStreamAlignBytes = 16;

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
  if (bytes.size() % kWordBytes != 0 || bytes.size() < kWordBytes ||
      LoadU32(bytes.data()) != kMagic) {
    return fail(Status::kBadModel, Cause::kBadPayload);
  }

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
  const auto same = [&](reg::Field field) {
    return field.Get(built_for.config) == field.Get(hardware.config);
  };
  if (!same(reg::kConfigProduct) || !same(reg::kConfigMacsLog2) ||
      !same(reg::kConfigStreamVersion)) {
    return false;
  }
  if (reg::kConfigCustomDma.Get(built_for.config) > reg::kConfigCustomDma.Get(hardware.config)) {
    return false;
  }
  return reg::kIdArchMajor.Get(built_for.id) == reg::kIdArchMajor.Get(hardware.id) &&
         reg::kIdArchMinor.Get(built_for.id) <= reg::kIdArchMinor.Get(hardware.id);
}

}  // namespace pilotlight::ethos_u
