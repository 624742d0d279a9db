// SPDX-License-Identifier: Apache-2.0
//
// The part of a stream's verification that is the same for all versions of streams: reading
// commands, setting registers, and the bytes of a feature map. A version derives its verifier from
// this class and adds Operate(), which computes the accesses of an operation.
#pragma once

#include "command_registers.h"
#include "little_endian.h"
#include "npu_product.h"
#include "operand_geometry.h"
#include "pilotlight/ethos_u/command_stream.h"
#include "region_access.h"

namespace pilotlight::ethos_u {

// Opcodes: bits 9..0 of a command's first word. Bit 14 says that a second word follows.
enum Opcode : std::uint32_t {
  kStop = 0x000,
  kIrq = 0x001,
  kConv = 0x002,
  kDepthwise = 0x003,
  kPool = 0x005,
  kElementwise = 0x006,
  kResize = 0x007,
  kDmaStart = 0x010,
};
constexpr std::uint32_t kOpcodeMask = 0xFFFF;
constexpr std::uint32_t kHasPayload = 0x4000;
constexpr std::uint32_t kFirstSetting = 0x100;
constexpr std::uint32_t kBranch = kHasPayload | 0x100;

constexpr std::int64_t kScaleRecordBytes = 10;
constexpr std::uint32_t kTableMemoryBytes = 2048, kTableEntries = 256;
// Values of OP_POOL's and OP_ELEMENTWISE's parameter.
constexpr std::uint32_t kReduceSum = 2;
constexpr std::uint32_t kLrelu = 5, kClz = 7;
// OFM_PRECISION: scale and shift come from OFM_SCALE and not from the scale stream.
constexpr std::uint32_t kScaledByRegister = 0x100;
// DMA0_SRC_REGION, DMA0_DST_REGION: the NPU's own memory.
constexpr std::uint32_t kInternalMemory = 0x100;

inline constexpr char kUnknownCopy[] = "is a copy of a kind that this driver does not know";
inline constexpr char kTooFewScales[] = "has fewer scales than channels";
inline constexpr char kTableBeyondMemory[] = "has a table beyond the table memory";
inline constexpr char kCopyBeyondMemory[] = "copies beyond the NPU's internal memory";

// Self: the derived class. It has kHasIllegalValues: whether a product has values that are illegal
// though their bits are legal; and kHasBranches: whether a stream may branch. If it may, the class
// also has FindTargets(), Arrive(), Branch() and CheckTargets().
template <typename Self>
class StreamVerifier {
 public:
  Status Verify(std::uint8_t& used_regions) {
    Status status = Status::kOk;
    if constexpr (Self::kHasBranches) status = self().FindTargets(stream_);
    if (status == Status::kOk) status = Walk();
    if (status != Status::kOk) failure_.offset = static_cast<std::uint32_t>(at_);
    used_regions = regions_.used_regions();
    return status;
  }

 protected:
  Status AccessMap(const FeatureMap& map, const Extent& size) {
    if (size.height == 0 || size.width == 0) return Status::kOk;  // The kernel sees only padding.
    MapLayout layout(registers_, map, size);
    PILOTLIGHT_TRY(Accept(layout.Read()));
    for (std::uint32_t tile = 0; tile < kTiles; ++tile) {
      if (layout.Columns(tile) == 0 || layout.Rows(tile) == 0) continue;
      ByteRange bytes;
      PILOTLIGHT_TRY(Accept(layout.TileBytes(tile, bytes)));
      PILOTLIGHT_TRY(Access(map.channel, registers_.Get(map.first + kRegion), bytes));
    }
    return Status::kOk;
  }

  // Every use of registers ends here or in the derived class's check of the table, so these report
  // a register that the stream did not set.
  Status Access(Channel channel, std::uint32_t region, const ByteRange& bytes) {
    if (registers_.used_unset()) return Bad(kUnsetRegister);
    return regions_.Check(channel, region, bytes, failure_);
  }

  // Refuses the command if there is a reason.
  Status Accept(const char* reason) { return reason == nullptr ? Status::kOk : Bad(reason); }

  Status Bad(const char* reason) {
    failure_ = {};
    failure_.status = Status::kBadModel;
    failure_.cause = Cause::kBadCommand;
    failure_.reason = reason;
    return failure_.status;
  }

  const NpuProduct& product_;
  const NpuBuild& build_;
  CommandRegisters registers_;

 private:
  Self& self() { return *static_cast<Self*>(this); }

  friend Self;

  StreamVerifier(Span<const std::byte> stream, const NpuIdentity& npu, const RegionSizes& regions,
                 Failure& failure)
      : product_(*FindProduct(npu)),
        build_(BuildOf(npu.macs())),
        registers_(product_.commands),
        stream_(stream),
        regions_(regions),
        failure_(failure) {}

  // Derived from product and MACs. The CONFIG word in the file is untrusted; only these two of its
  // fields are compared with the hardware. For a number of MACs that does not exist, this function
  // returns the product's smallest NPU.
  const NpuBuild& BuildOf(std::uint32_t macs) const {
    const NpuBuild* build = product_.builds;
    for (const NpuBuild* const end = build + product_.build_count; build != end; ++build) {
      if (build->macs == macs) return *build;
    }
    return product_.builds[0];
  }

  Status Walk() {
    while (at_ + 4 <= stream_.size()) {
      const std::uint32_t word = LoadU32(stream_.data() + at_);
      const std::uint32_t param = word >> 16;
      const std::uint32_t opcode = word & kOpcodeMask;
      std::size_t next = at_ + 4;
      if constexpr (Self::kHasBranches) self().Arrive(static_cast<std::uint32_t>(at_));
      if constexpr (Self::kHasIllegalValues) PILOTLIGHT_TRY(CheckValues(opcode, param));
      if (opcode >= kHasPayload) {
        if (stream_.size() - next < 4) return Bad("is cut off");
        const std::uint32_t payload = LoadU32(stream_.data() + next);
        bool sets_register = true;
        if constexpr (Self::kHasBranches) {
          sets_register = opcode != kBranch;
          if (!sets_register) PILOTLIGHT_TRY(self().Branch(param, payload, stream_.size()));
        }
        if (sets_register) {
          PILOTLIGHT_TRY(Accept(registers_.SetLong(opcode - kHasPayload, param, payload)));
        }
        next += 4;
      } else if (opcode >= kFirstSetting) {
        PILOTLIGHT_TRY(Accept(registers_.Set(opcode, param)));
      } else if (opcode == kStop) {
        if constexpr (Self::kHasBranches) return self().CheckTargets();
        return Status::kOk;
      } else {
        PILOTLIGHT_TRY(StartOperation(opcode, param));
      }
      at_ = next;
    }
    return Bad("is missing: the stream ends without OP_STOP");
  }

  Status StartOperation(std::uint32_t opcode, std::uint32_t param) {
    const OperationRange* range = product_.commands.operations;
    const OperationRange* const end = range + product_.commands.operation_count;
    while (range != end && range->opcode != opcode) ++range;
    if (range == end) return Bad(kUnknownCommand);
    if (param > range->last_param) return Bad(kReservedValue);
    if (opcode == kIrq || opcode > kDmaStart) return Status::kOk;
    return self().Operate(opcode, param);
  }

  Status CheckValues(std::uint32_t code, std::uint32_t param) {
    const IllegalValues* row = product_.commands.illegal_values;
    for (const IllegalValues* const end = row + product_.commands.illegal_value_count; row != end;
         ++row) {
      const std::uint32_t value = param >> row->shift & row->mask;
      const bool illegal = row->first <= value && value <= row->last;
      if (illegal && row->code == code) return Bad(kReservedValue);
    }
    return Status::kOk;
  }

  const Span<const std::byte> stream_;
  RegionAccess regions_;
  Failure& failure_;
  std::size_t at_ = 0;  // Of the command being verified.
};

}  // namespace pilotlight::ethos_u
