// SPDX-License-Identifier: Apache-2.0
#include "pilotlight/ethos_u/command_stream.h"

#include "command_registers.h"
#include "command_tables.h"
#include "little_endian.h"
#include "operand_geometry.h"
#include "region_access.h"

namespace pilotlight::ethos_u {
namespace {

// Opcodes: bits 9..0 of a command's first word. Bit 14 says that a second word follows.
enum Opcode : std::uint32_t {
  kStop = 0x000,
  kIrq = 0x001,
  kConv = 0x002,
  kDepthwise = 0x003,
  kPool = 0x005,
  kElementwise = 0x006,
  kDmaStart = 0x010,
};
constexpr std::uint32_t kOpcodeMask = 0xFFFF;
constexpr std::uint32_t kHasPayload = 0x4000;
constexpr std::uint32_t kFirstSetting = 0x100;

constexpr std::uint32_t kFirstTable = 16;
constexpr std::uint32_t kTableMemoryBytes = 2048, kTableSlotBytes = 256, kTableEntries = 256;
constexpr std::int64_t kScaleRecordBytes = 10;
constexpr std::uint32_t kReduceSum = 2;
constexpr std::uint32_t kLrelu = 5, kClz = 7;

// Derived from product and MACs. The CONFIG word in the file is untrusted; only these two of its
// fields are compared with the hardware. For an NPU that does not exist, this function returns the
// size of the smallest NPU.
NpuBuild BuildOf(const NpuIdentity& npu) {
  for (const NpuBuild& build : kNpuBuilds) {
    if (build.product == npu.product() && build.macs == npu.macs()) return build;
  }
  return kNpuBuilds[0];
}

class StreamVerifier {
 public:
  StreamVerifier(Span<const std::byte> stream, const NpuIdentity& npu, const RegionSizes& regions,
                 Failure& failure)
      : stream_(stream),
        commands_(kCommandSets[npu.product() < kCommandSetCount ? npu.product() : 0]),
        build_(BuildOf(npu)),
        registers_(commands_),
        regions_(regions),
        failure_(failure) {}

  Status Verify() {
    const Status status = Walk();
    if (status != Status::kOk) failure_.offset = static_cast<std::uint32_t>(at_);
    return status;
  }

  std::uint8_t used_regions() const { return regions_.used_regions(); }

 private:
  Status Walk() {
    while (at_ + 4 <= stream_.size()) {
      const std::uint32_t word = LoadU32(stream_.data() + at_);
      const std::uint32_t param = word >> 16;
      const std::uint32_t opcode = word & kOpcodeMask;
      std::size_t next = at_ + 4;
      if (opcode >= kHasPayload) {
        if (stream_.size() - next < 4) return Bad("is cut off");
        const std::uint32_t payload = LoadU32(stream_.data() + next);
        PILOTLIGHT_TRY(Accept(registers_.SetLong(opcode - kHasPayload, param, payload)));
        next += 4;
      } else if (opcode >= kFirstSetting) {
        PILOTLIGHT_TRY(Accept(registers_.Set(opcode, param)));
      } else if (opcode == kStop) {
        return Status::kOk;
      } else {
        PILOTLIGHT_TRY(Operate(opcode, param));
      }
      at_ = next;
    }
    return Bad("is missing: the stream ends without OP_STOP");
  }

  Status Operate(std::uint32_t opcode, std::uint32_t param) {
    const OperationRange* range = commands_.operations;
    const OperationRange* const end = range + commands_.operation_count;
    while (range != end && range->opcode != opcode) ++range;
    if (range == end) return Bad(kUnknownCommand);
    if (param > range->last_param) return Bad(kReservedValue);
    if (opcode == kIrq) return Status::kOk;
    if (opcode == kDmaStart) return Copy();
    if (opcode > kDmaStart) return Status::kOk;

    const Extent output = {registers_.Get(kOfmHeight) + 1, registers_.Get(kOfmWidth) + 1,
                           registers_.Get(kOfmDepth) + 1};
    const bool convolution = opcode == kConv || opcode == kDepthwise;
    const bool sum = opcode == kPool && param == kReduceSum;
    Extent input = output;
    if (opcode == kConv || sum) input.depth = registers_.Get(kIfmDepth) + 1;
    if (opcode != kElementwise && !sum) PILOTLIGHT_TRY(Accept(ToInputSize(registers_, input)));
    PILOTLIGHT_TRY(AccessMap(kIfmMap, input));
    if (opcode == kElementwise && (param < kLrelu || param > kClz)) {
      PILOTLIGHT_TRY(AccessIfm2(output));
    }
    const bool scaled_by_channel = (registers_.Get(kOfmPrecision) & 0x100) == 0;
    if (convolution || (opcode == kPool && scaled_by_channel)) {
      PILOTLIGHT_TRY(AccessStreams(convolution, output.depth));
    }
    PILOTLIGHT_TRY(AccessMap(kOfmMap, output));
    return CheckTable();
  }

  Status AccessMap(const FeatureMap& map, const Extent& size) {
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

  Status AccessIfm2(const Extent& output) {
    const std::uint32_t broadcast = registers_.Get(kBroadcast);
    if ((broadcast & 0x80) != 0) return Status::kOk;  // A constant in the command.
    return AccessMap(kIfm2Map, {(broadcast & 1) != 0 ? 1 : output.height,
                                (broadcast & 2) != 0 ? 1 : output.width,
                                (broadcast & 4) != 0 ? 1 : output.depth});
  }

  // Checks the scale streams and, for a convolution, the weight streams. Each core has one stream
  // of each kind. The streams of a core without channels may be empty; if they are not, the core
  // may read them.
  Status AccessStreams(bool weights, std::uint32_t channels) {
    const std::uint32_t cores = build_.cores == 2 && registers_.Get(kParallelMode) != 0 ? 2 : 1;
    for (std::uint32_t core = 0; core < cores; ++core) {
      const std::uint32_t group = core == 0 ? kStreamGroup : kCore1Group;
      const bool idle = core >= channels;
      if (!idle || registers_.HasBytes(group, kScaleLength)) {
        const std::int64_t scales = registers_.Address(group, kScaleBase);
        const std::int64_t length = registers_.Address(group, kScaleLength);
        const std::int64_t records = (channels - core + cores - 1) / cores;
        if (length < kScaleRecordBytes * records) return Bad("has fewer scales than channels");
        PILOTLIGHT_TRY(
            Access(kScaleChannel, registers_.Get(kScaleRegion), {scales, scales + length}));
      }
      if (weights && (!idle || registers_.HasBytes(group, kWeightLength))) {
        const std::int64_t base = registers_.Address(group, kWeightBase);
        const std::int64_t length = registers_.Address(group, kWeightLength);
        PILOTLIGHT_TRY(
            Access(kWeightChannel, registers_.Get(kWeightRegion), {base, base + length}));
      }
    }
    return Status::kOk;
  }

  // The activation's table, in the last 2 KiB of the NPU's own memory.
  Status CheckTable() {
    const std::uint32_t activation = registers_.Get(kActivation);
    const std::uint32_t function = activation & 0x1F;
    if (registers_.used_unset()) return Bad(kUnsetRegister);
    if (function < kFirstTable) return Status::kOk;
    const std::uint32_t element_bytes = 1u << (registers_.Get(kOfmPrecision) >> 1 & 3);
    const std::uint32_t clip_range = activation >> 12;
    const bool narrow = element_bytes == 1 || clip_range == 2 || clip_range == 3;
    const std::uint32_t size = narrow ? kTableEntries * element_bytes : kTableMemoryBytes;
    if ((function - kFirstTable) * kTableSlotBytes + size > kTableMemoryBytes) {
      return Bad("has a table beyond the table memory");
    }
    return Status::kOk;
  }

  Status Copy() {
    const std::uint32_t source = registers_.Get(kDmaSource), target = registers_.Get(kDmaTarget);
    const std::int64_t length = registers_.Address(kDmaGroup, kLength);
    const std::int64_t from = registers_.Address(kDmaGroup, kSource);
    const std::int64_t to = registers_.Address(kDmaGroup, kTarget);
    // Copies in two dimensions, which compilers do not make, and reads of the NPU's own memory.
    if (((source | target) & 0x600) != 0 || (source & 0x100) != 0) {
      return Bad("is a copy of a kind that this driver does not know");
    }
    PILOTLIGHT_TRY(Access(kDmaReadChannel, source, {from, from + length}));
    if ((target & 0x100) == 0) return Access(kDmaWriteChannel, target, {to, to + length});
    if (length != 0 && to + length > std::int64_t{build_.internal_kib} * 1024) {
      return Bad("copies beyond the NPU's internal memory");
    }
    return Status::kOk;
  }

  // Every use of registers ends here or in CheckTable(), so this is where a register that the
  // stream did not set is reported.
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

  const Span<const std::byte> stream_;
  const CommandSet& commands_;
  const NpuBuild build_;
  CommandRegisters registers_;
  RegionAccess regions_;
  Failure& failure_;
  std::size_t at_ = 0;  // Of the command being verified.
};

}  // namespace

Status VerifyStream(Span<const std::byte> stream, const NpuIdentity& built_for,
                    const RegionSizes& regions, std::uint8_t& used_regions, Failure& failure) {
  StreamVerifier verifier(stream, built_for, regions, failure);
  PILOTLIGHT_TRY(verifier.Verify());
  used_regions = verifier.used_regions();
  return Status::kOk;
}

}  // namespace pilotlight::ethos_u
