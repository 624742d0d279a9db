// SPDX-License-Identifier: Apache-2.0
#include "command_registers.h"

namespace pilotlight::ethos_u {
namespace {

constexpr std::uint32_t kFirstSetting = 0x100;
constexpr std::uint32_t kFirstIfm2Setting = 0x180;

}  // namespace

const char* CommandRegisters::Set(std::uint32_t opcode, std::uint32_t param) {
  const std::uint32_t index =
      opcode < kFirstIfm2Setting ? opcode - kFirstSetting : opcode - kFirstIfm2Setting + kIfm2;
  const bool exists = opcode < kFirstIfm2Setting ? index < kIfm2 : index < kSettings;
  const std::uint32_t setting_kind = exists ? commands_.settings[index] : 0;
  if (setting_kind == 0) return kUnknownCommand;
  const SettingKind& legal = commands_.setting_kinds[setting_kind];
  if ((param & ~std::uint32_t{legal.bits}) != 0) return kReservedValue;
  if ((param & param >> 1 & legal.ternary_bits) != 0) return kReservedValue;
  settings_[index] = kIsSet | param;
  return nullptr;
}

const char* CommandRegisters::SetLong(std::uint32_t opcode, std::uint32_t param,
                                      std::uint32_t payload) {
  std::uint32_t group = opcode >> 4;
  if (group >= 4) group = group >= 8 ? group - 4 : kGroups;
  const std::uint32_t place = opcode & 0xF;
  if (group >= kGroups || place >= kGroupSize) return kUnknownCommand;
  const std::uint32_t index = group * kGroupSize + place;
  const std::uint32_t payload_kind = commands_.payloads[index];
  if (payload_kind == 0) return kUnknownCommand;
  const PayloadKind& legal = commands_.payload_kinds[payload_kind];
  if ((param & ~std::uint32_t{legal.param_bits}) != 0 || (payload & ~legal.payload_bits) != 0) {
    return kReservedValue;
  }
  longs_[index] = kLongIsSet | std::uint64_t{param} << 32 | payload;
  return nullptr;
}

void CommandRegisters::Forget() {
  for (std::uint32_t& word : settings_) word = 0;
  for (std::uint64_t& word : longs_) word = 0;
}

std::int64_t CommandRegisters::Stride(std::uint32_t group, std::uint32_t place) {
  const std::int64_t sign = std::int64_t{1} << 39;
  return (Address(group, place) ^ sign) - sign;
}

}  // namespace pilotlight::ethos_u
