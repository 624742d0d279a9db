// SPDX-License-Identifier: Apache-2.0
//
// The command registers of the NPUs, as one command stream sets them: values, legal bits, and which
// registers the stream has set.
#pragma once

#include <cstdint>

namespace pilotlight::ethos_u {

// Indices of the registers without a payload: first the opcodes from 0x100 on, then the opcodes
// from 0x180 on. IFM, OFM and IFM2 share some registers. The shared registers have the same offset
// within each block.
enum Setting : std::uint32_t {
  kIfm = 0x00,
  kPadTop = 0x00,
  kPadLeft,
  kPadRight,
  kPadBottom,
  kIfmDepth,
  kIfmPrecision,
  kUpscale = 0x07,
  kIfmBroadcast,
  kOfm = 0x10,
  kOfmWidth,
  kOfmHeight,
  kOfmDepth,
  kOfmPrecision,
  kKernelWidth = 0x20,
  kKernelHeight,
  kKernelStride,
  kParallelMode,
  kAccFormat,
  kActivation,
  kWeightRegion = 0x28,
  kScaleRegion,
  kWeightFormat = 0x2E,
  kDmaSource = 0x30,
  kDmaTarget,
  kDmaSize0,
  kDmaSize1,
  kDmaIndexRegion,
  kIfm2,
  kBroadcast = kIfm2,
  kIfm2Precision = kIfm2 + 5,
  kSettings = kIfm2 + 0x10,
};
// Offsets within the block of a feature map.
constexpr std::uint32_t kWidth0 = 0xA, kHeight0 = 0xB, kHeight1 = 0xC, kRegion = 0xF;

// Registers with a payload. Opcode bits 7..4 select a group, bits 3..0 a register in it.
constexpr std::uint32_t kGroupSize = 10;
constexpr std::uint32_t kGroups = 6;
enum Group : std::uint32_t {
  kIfmGroup,
  kOfmGroup,
  kStreamGroup,
  kDmaGroup,
  kIfm2Group,
  kCore1Group
};
// Registers of a feature map's group. The first four are the tiles' addresses.
constexpr std::uint32_t kStrideX = 4, kStrideY = 5, kStrideC = 6;
// Registers of kStreamGroup and kCore1Group.
constexpr std::uint32_t kWeightBase = 0, kWeightLength = 1, kScaleBase = 2, kScaleLength = 3;
// Registers of kDmaGroup.
constexpr std::uint32_t kSource = 0, kTarget = 1, kLength = 2;
constexpr std::uint32_t kSourceStride0 = 3, kSourceStride1 = 4, kTargetStride0 = 5;
constexpr std::uint32_t kTargetStride1 = 6, kIndexList = 7, kLastIndex = 8, kIndexSkip1 = 9;

// Why a command is refused, for Failure::reason.
inline constexpr char kUnknownCommand[] = "is not a command of this NPU";
inline constexpr char kReservedValue[] = "has a reserved bit or value";
inline constexpr char kUnsetRegister[] = "uses a register that the stream did not set";

// The bits of a register without a payload. ternary_bits: the lower bit of each field that has two
// bits and whose value 3 is illegal.
struct SettingKind {
  std::uint16_t bits;
  std::uint16_t ternary_bits;
};

// The bits of a register with a payload.
struct PayloadKind {
  std::uint16_t param_bits;
  std::uint32_t payload_bits;
};

// A command other than NPU_SET, and the highest value of its parameter.
struct OperationRange {
  std::uint16_t opcode;
  std::uint16_t last_param;
};

// Values from `first` to `last` of a field of a command's parameter that do not exist. `code` is
// the low half of the command.
struct IllegalValues {
  std::uint16_t code;
  std::uint8_t shift;
  std::uint8_t mask;
  std::uint8_t first;
  std::uint8_t last;
};

// The commands of a product, as data (npu_product.h).
struct CommandSet {
  const std::uint8_t* settings;  // [kSettings]: the kind of each; 0: no such register.
  const std::uint8_t* payloads;  // [kGroups * kGroupSize]: the kind of each; 0: no such register.
  const SettingKind* setting_kinds;
  const PayloadKind* payload_kinds;
  const OperationRange* operations;
  const IllegalValues* illegal_values;
  std::uint8_t operation_count;
  std::uint8_t illegal_value_count;
};

class CommandRegisters {
 public:
  explicit CommandRegisters(const CommandSet& commands) : commands_(commands) {}

  // Executes NPU_SET without, or with, a payload. `opcode` is that of the command, without the
  // payload bit. Returns why the command is refused, or null.
  const char* Set(std::uint32_t opcode, std::uint32_t param);
  const char* SetLong(std::uint32_t opcode, std::uint32_t param, std::uint32_t payload);

  // No register counts as set any more.
  void Forget();

  // Read a register. A register that was never set reads as 0, and used_unset() becomes true.
  std::uint32_t Get(std::uint32_t setting) {
    const std::uint32_t word = settings_[setting];
    used_ &= word;
    return word & ~kIsSet;
  }
  std::int64_t Address(std::uint32_t group, std::uint32_t place) {
    const std::uint64_t word = longs_[group * kGroupSize + place];
    used_ &= static_cast<std::uint32_t>(word >> 32);
    return static_cast<std::int64_t>(word & ~kLongIsSet);
  }
  // Like Address(), but returns a signed number of 40 bits.
  std::int64_t Stride(std::uint32_t group, std::uint32_t place);

  // Whether a length is set to more than 0. Does not count as a use.
  bool HasBytes(std::uint32_t group, std::uint32_t length) const {
    return (longs_[group * kGroupSize + length] & ~kLongIsSet) != 0;
  }

  bool used_unset() const { return (used_ & kIsSet) == 0; }

 private:
  // The top bit of each word says that the stream has set the register. Values have at most 16 or
  // 48 bits.
  static constexpr std::uint32_t kIsSet = 1u << 31;
  static constexpr std::uint64_t kLongIsSet = std::uint64_t{kIsSet} << 32;

  const CommandSet& commands_;
  std::uint32_t used_ = kIsSet;  // Its top bit is lost when a register is used that was never set.
  std::uint32_t settings_[kSettings] = {};
  std::uint64_t longs_[kGroups * kGroupSize] = {};
};

}  // namespace pilotlight::ethos_u
