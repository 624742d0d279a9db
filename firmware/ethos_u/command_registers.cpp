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
  if (!exists || commands_.setting_bits[index] == 0) return kUnknownCommand;
  if ((param & ~std::uint32_t{commands_.setting_bits[index]}) != 0) return kReservedValue;
  for (std::uint32_t i = 0; i < commands_.ternary_count; ++i) {
    const TernaryFields& fields = commands_.ternary[i];
    if (fields.setting == index && (param & param >> 1 & fields.lower_bits) != 0) {
      return kReservedValue;
    }
  }
  settings_[index] = static_cast<std::uint16_t>(param);
  MarkSet(index);
  return nullptr;
}

const char* CommandRegisters::SetLong(std::uint32_t opcode, std::uint32_t param,
                                      std::uint32_t payload) {
  std::uint32_t group = opcode >> 4;
  if (group >= 4) group = group >= 8 ? group - 4 : kGroups;
  const std::uint32_t place = opcode & 0xF;
  if (group >= kGroups || place >= kGroupSize) return kUnknownCommand;
  const std::uint32_t index = group * kGroupSize + place;
  const std::uint32_t kind = commands_.payload_kinds[index];
  if (kind == 0) return kUnknownCommand;
  const PayloadKind& bits = kPayloadKinds[kind];
  if ((param & ~std::uint32_t{bits.param_bits}) != 0 || (payload & ~bits.payload_bits) != 0) {
    return kReservedValue;
  }
  longs_[index] = static_cast<std::int64_t>(param) << 32 | payload;
  MarkSet(kSettings + index);
  return nullptr;
}

void CommandRegisters::Use(std::uint32_t index) {
  if ((set_[index / 32] >> index % 32 & 1) == 0) used_unset_ = true;
}

std::uint32_t CommandRegisters::Get(std::uint32_t setting) {
  Use(setting);
  return settings_[setting];
}

std::int64_t CommandRegisters::Address(std::uint32_t group, std::uint32_t place) {
  const std::uint32_t index = group * kGroupSize + place;
  Use(kSettings + index);
  return longs_[index];
}

std::int64_t CommandRegisters::Stride(std::uint32_t group, std::uint32_t place) {
  const std::int64_t sign = std::int64_t{1} << 39;
  return (Address(group, place) ^ sign) - sign;
}

}  // namespace pilotlight::ethos_u
