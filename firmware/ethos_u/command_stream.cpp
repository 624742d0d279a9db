// SPDX-License-Identifier: Apache-2.0
#include "pilotlight/ethos_u/command_stream.h"

#include "command_tables.h"
#include "little_endian.h"

namespace pilotlight::ethos_u {
namespace {

// Opcodes: bits 9..0 of a command's first word; bit 14 says that a second follows.
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
constexpr std::uint32_t kFirstIfm2Setting = 0x180;

// Registers without a payload, as indices: opcodes from 0x100 on, behind them those from 0x180 on.
// IFM, OFM and IFM2 have some in common, which lie alike from each one's first register on.
enum Setting : std::uint32_t {
  kIfm = 0x00,
  kPadTop = 0x00,
  kPadLeft,
  kPadRight,
  kPadBottom,
  kIfmDepth,
  kIfmPrecision,
  kUpscale = 0x07,
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
  kDmaSource = 0x30,
  kDmaTarget,
  kDmaSize0,
  kDmaSize1,
  kIfm2 = 0x34,
  kBroadcast = kIfm2,
  kIfm2Precision = kIfm2 + 5,
  kSettings = kIfm2 + 0x10,
};
constexpr std::uint32_t kWidth0 = 0xA, kHeight0 = 0xB, kHeight1 = 0xC, kRegion = 0xF;

// Registers with a payload: opcode bits 7..4 choose a group, bits 3..0 one of its up to 7.
constexpr std::uint32_t kGroupSize = 7;
constexpr std::uint32_t kGroups = 6;
enum Group : std::uint32_t {
  kIfmGroup,
  kOfmGroup,
  kStreamGroup,
  kDmaGroup,
  kIfm2Group,
  kCore1Group
};
constexpr std::uint32_t kStrideX = 4, kStrideY = 5, kStrideC = 6;
constexpr std::uint32_t kWeightBase = 0, kWeightLength = 1, kScaleBase = 2, kScaleLength = 3;
constexpr std::uint32_t kOfmScale = 4, kOpaScale = 5, kOpbScale = 6;
constexpr std::uint32_t kSource = 0, kTarget = 1, kLength = 2;

// Channels as STATUS.faulting_channel numbers them; IFM2 has none of its own there.
enum Channel : std::uint8_t {
  kIfmChannel = 1,
  kWeightChannel = 2,
  kScaleChannel = 3,
  kDmaReadChannel = 4,
  kOfmChannel = 8,
  kDmaWriteChannel = 9,
  kIfm2Channel = Failure::kIfm2Channel,
};

// What tells one feature map's registers from another's.
struct Map {
  Channel channel;
  std::uint8_t first;      // Setting
  std::uint8_t precision;  // Setting
  std::uint8_t element_bit;
  std::uint8_t group;
};
constexpr Map kIfmMap = {kIfmChannel, kIfm, kIfmPrecision, 2, kIfmGroup};
constexpr Map kIfm2Map = {kIfm2Channel, kIfm2, kIfm2Precision, 2, kIfm2Group};
constexpr Map kOfmMap = {kOfmChannel, kOfm, kOfmPrecision, 1, kOfmGroup};

constexpr std::uint32_t kBrickChannels = 16;
constexpr std::uint32_t kFirstTable = 16;
constexpr std::uint32_t kTableMemoryBytes = 2048, kTableSlotBytes = 256, kTableEntries = 256;
constexpr std::int64_t kScaleRecordBytes = 10;
constexpr std::uint32_t kReduceSum = 2;
constexpr std::uint32_t kLrelu = 5, kClz = 7;

// The lower, or the upper, end of what `count` steps of `stride` reach. Dimensions have at most 19
// bits and strides 40, so that sums of a few stay far from 64.
std::int64_t Below(std::int64_t count, std::int64_t stride) {
  return stride < 0 ? (count - 1) * stride : 0;
}
std::int64_t Above(std::int64_t count, std::int64_t stride) {
  return stride > 0 ? (count - 1) * stride : 0;
}

// Derived from product and MACs. The CONFIG word in the file is untrusted; only these two of its
// fields are compared with the hardware. An NPU that does not exist has the least of everything.
NpuBuild BuildOf(const NpuIdentity& npu) {
  for (const NpuBuild& build : kNpuBuilds) {
    if (build.product == npu.product() && build.macs == npu.macs()) return build;
  }
  return kNpuBuilds[0];
}

std::uint32_t Min(std::uint32_t a, std::uint32_t b) { return a < b ? a : b; }

class Follower {
 public:
  Follower(Span<const std::byte> stream, const NpuIdentity& npu, const RegionSizes& regions,
           Failure& failure)
      : stream_(stream),
        commands_(kCommandSets[npu.product() < kCommandSetCount ? npu.product() : 0]),
        build_(BuildOf(npu)),
        regions_(regions),
        failure_(failure) {}

  Status Follow() {
    for (at_ = 0; at_ + 4 <= stream_.size();) {
      const std::uint32_t word = LoadU32(stream_.data() + at_);
      const std::uint32_t param = word >> 16;
      const std::uint32_t opcode = word & kOpcodeMask;
      std::size_t next = at_ + 4;
      if (opcode >= kHasPayload) {
        if (stream_.size() - next < 4) return Bad("is cut off");
        PILOTLIGHT_TRY(SetLong(opcode - kHasPayload, param, LoadU32(stream_.data() + next)));
        next += 4;
      } else if (opcode >= kFirstSetting) {
        PILOTLIGHT_TRY(Set(opcode, param));
      } else if (opcode == kStop) {
        return Status::kOk;
      } else {
        PILOTLIGHT_TRY(Operate(opcode, param));
      }
      at_ = next;
    }
    return Bad("is missing: the stream ends without OP_STOP");
  }

  std::uint8_t used_regions() const { return used_regions_; }

 private:
  // -- registers ------------------------------------------------------------------------------

  Status Set(std::uint32_t opcode, std::uint32_t param) {
    const std::uint32_t index =
        opcode < kFirstIfm2Setting ? opcode - kFirstSetting : opcode - kFirstIfm2Setting + kIfm2;
    const bool exists = opcode < kFirstIfm2Setting ? index < kIfm2 : index < kSettings;
    if (!exists || commands_.setting_bits[index] == 0) return Unknown();
    if ((param & ~std::uint32_t{commands_.setting_bits[index]}) != 0) return Reserved();
    for (std::uint32_t i = 0; i < commands_.ternary_count; ++i) {
      const TernaryFields& fields = commands_.ternary[i];
      if (fields.setting == index && (param & param >> 1 & fields.lower_bits) != 0) {
        return Reserved();
      }
    }
    settings_[index] = static_cast<std::uint16_t>(param);
    MarkSet(index);
    return Status::kOk;
  }

  Status SetLong(std::uint32_t opcode, std::uint32_t param, std::uint32_t payload) {
    std::uint32_t group = opcode >> 4;
    if (group >= 4) group = group >= 8 ? group - 4 : kGroups;
    const std::uint32_t place = opcode & 0xF;
    if (group >= kGroups || place >= kGroupSize) return Unknown();
    const std::uint32_t index = group * kGroupSize + place;
    const std::uint32_t kind = commands_.payload_kinds[index];
    if (kind == 0) return Unknown();
    const PayloadKind& bits = kPayloadKinds[kind];
    if ((param & ~std::uint32_t{bits.param_bits}) != 0 || (payload & ~bits.payload_bits) != 0) {
      return Reserved();
    }
    longs_[index] = static_cast<std::int64_t>(param) << 32 | payload;
    MarkSet(kSettings + index);
    return Status::kOk;
  }

  void MarkSet(std::uint32_t index) { set_[index / 32] |= 1u << index % 32; }

  bool HasBytes(std::uint32_t group, std::uint32_t length) const {
    return longs_[group * kGroupSize + length] != 0;
  }

  // Whether a register counts is asked in Access(), which ends every use of one.
  void Need(std::uint32_t index) {
    if ((set_[index / 32] >> index % 32 & 1) == 0) unset_ = true;
  }

  std::uint32_t Get(std::uint32_t index) {
    Need(index);
    return settings_[index];
  }

  std::int64_t Address(std::uint32_t group, std::uint32_t place) {
    const std::uint32_t index = group * kGroupSize + place;
    Need(kSettings + index);
    return longs_[index];
  }

  // 40 bits, two's complement.
  std::int64_t Distance(std::uint32_t group, std::uint32_t place) {
    const std::int64_t sign = std::int64_t{1} << 39;
    return (Address(group, place) ^ sign) - sign;
  }

  // -- operations -----------------------------------------------------------------------------

  Status Operate(std::uint32_t opcode, std::uint32_t param) {
    const OperationRange* range = commands_.operations;
    const OperationRange* const end = range + commands_.operation_count;
    while (range != end && range->opcode != opcode) ++range;
    if (range == end) return Unknown();
    if (param > range->last_param) return Reserved();
    if (opcode == kIrq) return Status::kOk;
    if (opcode == kDmaStart) return Copy();
    if (opcode > kDmaStart) return Status::kOk;

    const std::uint32_t height = Get(kOfmHeight) + 1;
    const std::uint32_t width = Get(kOfmWidth) + 1;
    const std::uint32_t depth = Get(kOfmDepth) + 1;
    const bool convolution = opcode == kConv || opcode == kDepthwise;
    const bool sum = opcode == kPool && param == kReduceSum;
    std::uint32_t in_height = height, in_width = width, in_depth = depth;
    if (opcode == kConv || sum) in_depth = Get(kIfmDepth) + 1;
    if (opcode != kElementwise && !sum) {
      PILOTLIGHT_TRY(InputSize(kKernelHeight, 1, kPadTop, kPadBottom, in_height));
      PILOTLIGHT_TRY(InputSize(kKernelWidth, 0, kPadLeft, kPadRight, in_width));
    }
    PILOTLIGHT_TRY(FeatureMap(kIfmMap, in_height, in_width, in_depth));
    if (opcode == kElementwise && (param < kLrelu || param > kClz)) {
      const std::uint32_t broadcast = Get(kBroadcast);
      if ((broadcast & 0x80) == 0) {  // Not a constant of the command.
        PILOTLIGHT_TRY(FeatureMap(kIfm2Map, (broadcast & 1) != 0 ? 1 : height,
                                  (broadcast & 2) != 0 ? 1 : width,
                                  (broadcast & 4) != 0 ? 1 : depth));
      }
    }
    const bool scaled_by_channel = (Get(kOfmPrecision) & 0x100) == 0;
    if (convolution || (opcode == kPool && scaled_by_channel)) {
      PILOTLIGHT_TRY(Streams(convolution, depth));
    }
    PILOTLIGHT_TRY(FeatureMap(kOfmMap, height, width, depth));
    return Table();
  }

  // Rows or columns of the stored input: no register holds them, they follow from the output's.
  Status InputSize(std::uint32_t kernel_size, std::uint32_t axis, std::uint32_t pad_before,
                   std::uint32_t pad_after, std::uint32_t& size) {
    const std::uint32_t word = Get(kKernelStride);
    const std::uint32_t stride = 1 + (word >> axis & 1) + 2 * (word >> (6 + 3 * axis) & 1);
    std::uint32_t reach = Get(kernel_size);
    if ((word >> (3 + axis) & 1) != 0) reach &= ~1u;  // Dilated by two: no tap at odd places.
    const std::uint32_t padding = Get(pad_before) + Get(pad_after);
    size = (size - 1) * stride + reach + 1;
    if (size < padding) return Bad("pads more than its kernel covers");
    size -= padding;
    if (Get(kUpscale) != 0) size = (size + 1) / 2;
    return Status::kOk;
  }

  Status FeatureMap(const Map& map, std::uint32_t height, std::uint32_t width,
                    std::uint32_t depth) {
    const std::uint32_t precision = Get(map.precision);
    const std::int64_t element_bytes = 1 << (precision >> map.element_bit & 3);
    const bool bricks = (precision & 0x40) != 0;
    const std::int64_t stride_x = Distance(map.group, kStrideX);
    const std::int64_t stride_y = Distance(map.group, kStrideY);
    // What the channels of one pixel span.
    std::int64_t low = 0, high = depth * element_bytes;
    if (bricks) {
      const std::int64_t brick_bytes = kBrickChannels * element_bytes;
      if (stride_x != brick_bytes) return Bad("has NHCWB16 columns that are not bricks");
      const std::int64_t stride_c = Distance(map.group, kStrideC);
      const std::uint32_t full = (depth - 1) / kBrickChannels;  // But for the last.
      const std::int64_t last = full * stride_c;
      high = last + high - full * brick_bytes;
      if (full != 0) {
        low = last < 0 ? last : 0;
        const std::int64_t before = Above(full, stride_c) + brick_bytes;
        if (before > high) high = before;
      }
    }
    const std::uint32_t width0 = Get(map.first + kWidth0) + 1;
    for (std::uint32_t tile = 0; tile < 4; ++tile) {
      const bool right = (tile & 1) != 0, lower = (tile & 2) != 0;
      const std::uint32_t left_columns = Min(width, width0);
      const std::uint32_t columns = right ? width - left_columns : left_columns;
      if (columns == 0) continue;
      const std::uint32_t split = Get(map.first + (right ? kHeight1 : kHeight0)) + 1;
      const std::uint32_t upper_rows = Min(height, split);
      const std::uint32_t rows = lower ? height - upper_rows : upper_rows;
      if (rows == 0) continue;
      const std::int64_t base = Address(map.group, tile);
      if (bricks && base % kBrickChannels != 0) return Bad("has NHCWB16 bricks off 16 bytes");
      PILOTLIGHT_TRY(Access(map.channel, Get(map.first + kRegion),
                            base + low + Below(rows, stride_y) + Below(columns, stride_x),
                            base + high + Above(rows, stride_y) + Above(columns, stride_x)));
    }
    return Status::kOk;
  }

  // Scales, and the weights of a convolution: one stream of each for each core. That of a core
  // without channels has no bytes, or the core may read it all the same.
  Status Streams(bool weights, std::uint32_t channels) {
    const std::uint32_t cores = build_.cores == 2 && Get(kParallelMode) != 0 ? 2 : 1;
    for (std::uint32_t core = 0; core < cores; ++core) {
      const std::uint32_t group = core == 0 ? kStreamGroup : kCore1Group;
      const bool idle = core >= channels;
      if (!idle || HasBytes(group, kScaleLength)) {
        const std::int64_t scales = Address(group, kScaleBase);
        const std::int64_t length = Address(group, kScaleLength);
        const std::int64_t records = (channels - core + cores - 1) / cores;
        if (length < kScaleRecordBytes * records) return Bad("has fewer scales than channels");
        PILOTLIGHT_TRY(Access(kScaleChannel, Get(kScaleRegion), scales, scales + length));
      }
      if (weights && (!idle || HasBytes(group, kWeightLength))) {
        const std::int64_t base = Address(group, kWeightBase);
        PILOTLIGHT_TRY(
            Access(kWeightChannel, Get(kWeightRegion), base, base + Address(group, kWeightLength)));
      }
    }
    return Status::kOk;
  }

  // The activation's, in the last 2 KiB of the NPU's own memory.
  Status Table() {
    const std::uint32_t activation = Get(kActivation);
    const std::uint32_t function = activation & 0x1F;
    if (unset_) return Unset();
    if (function < kFirstTable) return Status::kOk;
    const std::uint32_t element_bytes = 1u << (Get(kOfmPrecision) >> 1 & 3);
    const std::uint32_t clip_range = activation >> 12;
    const bool narrow = element_bytes == 1 || clip_range == 2 || clip_range == 3;
    const std::uint32_t size = narrow ? kTableEntries * element_bytes : kTableMemoryBytes;
    if ((function - kFirstTable) * kTableSlotBytes + size > kTableMemoryBytes) {
      return Bad("has a table beyond the table memory");
    }
    return Status::kOk;
  }

  Status Copy() {
    const std::uint32_t source = Get(kDmaSource), target = Get(kDmaTarget);
    const std::int64_t length = Address(kDmaGroup, kLength);
    const std::int64_t from = Address(kDmaGroup, kSource);
    const std::int64_t to = Address(kDmaGroup, kTarget);
    // Copies of two dimensions, which compilers do not make, and reads of internal memory.
    if (((source | target) & 0x600) != 0 || (source & 0x100) != 0) {
      return Bad("is a copy of a kind that this driver does not know");
    }
    PILOTLIGHT_TRY(Access(kDmaReadChannel, source, from, from + length));
    if ((target & 0x100) == 0) return Access(kDmaWriteChannel, target, to, to + length);
    if (length != 0 && to + length > build_.internal_kib * 1024) {
      return Bad("copies beyond the NPU's internal memory");
    }
    return Status::kOk;
  }

  // All of begin..end, which may be nothing, has to lie in the region.
  Status Access(Channel channel, std::uint32_t region, std::int64_t begin, std::int64_t end) {
    if (unset_) return Unset();
    if (begin == end) return Status::kOk;
    const std::uint32_t size = regions_.bytes[region];
    const bool written = channel == kOfmChannel || channel == kDmaWriteChannel;
    if (begin >= 0 && end <= size && !(written && region == 0)) {
      used_regions_ |= static_cast<std::uint8_t>(1u << region);
      return Status::kOk;
    }
    const bool missing = region > 1 && size == 0;
    const Status status = missing ? Fail(Status::kUnsupported, Cause::kMissingRegion)
                                  : Fail(Status::kBadModel, Cause::kBadAccess);
    failure_.region = region;
    failure_.channel = channel;
    failure_.begin = begin;
    failure_.end = end;
    failure_.size_bytes = size;
    return status;
  }

  // -- failures -------------------------------------------------------------------------------

  Status Unknown() { return Bad("is not one of this NPU's"); }
  Status Reserved() { return Bad("has a reserved bit or value"); }
  Status Unset() { return Bad("uses a register that the stream did not set"); }

  Status Bad(const char* reason) {
    const Status status = Fail(Status::kBadModel, Cause::kBadCommand);
    failure_.reason = reason;
    return status;
  }

  Status Fail(Status status, Cause cause) {
    failure_ = {};
    failure_.status = status;
    failure_.cause = cause;
    failure_.offset = static_cast<std::uint32_t>(at_);
    return status;
  }

  const Span<const std::byte> stream_;
  const CommandSet& commands_;
  const NpuBuild build_;
  const RegionSizes& regions_;
  Failure& failure_;
  std::size_t at_ = 0;
  bool unset_ = false;
  std::uint8_t used_regions_ = 0;
  std::uint16_t settings_[kSettings] = {};
  std::uint32_t set_[(kSettings + kGroups * kGroupSize + 31) / 32] = {};
  std::int64_t longs_[kGroups * kGroupSize] = {};
};

}  // namespace

Status VerifyStream(Span<const std::byte> stream, const NpuIdentity& built_for,
                    const RegionSizes& regions, std::uint8_t& used_regions, Failure& failure) {
  Follower follower(stream, built_for, regions, failure);
  PILOTLIGHT_TRY(follower.Follow());
  used_regions = follower.used_regions();
  return Status::kOk;
}

}  // namespace pilotlight::ethos_u
