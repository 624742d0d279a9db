// SPDX-License-Identifier: Apache-2.0
//
// Verifies command streams of version 1. DESIGN.md has the rules that are not in the code.
#include "stream_verifier.h"

namespace pilotlight::ethos_u {
namespace {

// OP_CONV's parameter: the weights are the feature map IFM2.
constexpr std::uint32_t kWeightsFromIfm2 = 1;
constexpr std::uint32_t kNullPool = 4;  // Its only input is the accumulator.
constexpr std::uint32_t kNot = 36;

// The upper two bits of a feature map's precision.
enum Storage : std::uint32_t { kTiled, kTiledThreeRows, kChained, kNoStorage };

constexpr std::uint32_t kStorageShift = 14;
constexpr std::uint32_t kReordered = 0x3E00;  // OFM_PRECISION: fields `reverse` and `transpose`.

// ACC_FORMAT: where the accumulator starts, and whether it is kept and nothing is written.
enum AccumulatorStart : std::uint32_t { kFromZero, kFromKept, kFromIfm2 };
constexpr std::uint32_t kKeepAccumulator = 0x40;

// A mode of IFM_BROADCAST or IFM2_BROADCAST: OP_SCALAR, and no feature map.
constexpr std::uint32_t kScalar = 8;

// WEIGHT_FORMAT: one stream for all decoders.
constexpr std::uint32_t kFastFormat = 1;
// Successive channels that one decoder has.
constexpr std::uint32_t kChannelsOfDecoder = 4;

// Fields of DMA0_SRC_REGION and DMA0_DST_REGION.
constexpr std::uint32_t kRegionMask = 7, kIndexed = 0x800;

constexpr std::uint32_t kChainBuffers = 8;

// The most branches of a stream.
constexpr std::uint32_t kMostBranches = 32;

// Extents of a stored feature map from those of the result, by OFM_PRECISION.transpose: the axes
// (0: height, 1: width, 2: depth) of the stored height, width and depth.
struct Axes {
  std::uint8_t height, width, depth;
};
constexpr Axes kTransposes[] = {{0, 1, 2}, {1, 0, 2}, {0, 2, 1}, {1, 2, 0},
                                {},        {},        {2, 0, 1}, {2, 1, 0}};

Extent Transposed(const Extent& size, std::uint32_t transpose) {
  const std::uint32_t sizes[] = {size.height, size.width, size.depth};
  const Axes& axes = kTransposes[transpose];
  return {sizes[axes.height], sizes[axes.width], sizes[axes.depth]};
}

bool Equal(const Extent& a, const Extent& b) {
  return a.height == b.height && a.width == b.width && a.depth == b.depth;
}

Extent Broadcast(const Extent& size, std::uint32_t mode) {
  return {(mode & 1) != 0 ? 1 : size.height, (mode & 2) != 0 ? 1 : size.width,
          (mode & 4) != 0 ? 1 : size.depth};
}

// Bytes of a table, by ACTIVATION.function; 0: no table.
constexpr std::uint16_t kTableBytes[] = {0,
                                         kTableEntries,
                                         0,
                                         0,
                                         kTableEntries,
                                         2 * kTableEntries,
                                         0,
                                         4 * kTableEntries,
                                         kTableMemoryBytes,
                                         kTableMemoryBytes,
                                         0,
                                         0};

class Verifier final : public StreamVerifier<Verifier> {
 public:
  Verifier(Span<const std::byte> stream, const NpuIdentity& npu, const RegionSizes& regions,
           Failure& failure)
      : StreamVerifier(stream, npu, regions, failure) {}

  static constexpr bool kHasIllegalValues = true;
  static constexpr bool kHasBranches = true;

  // Notes where the branches up to OP_STOP lead: a loop leads to a place before its branch.
  Status FindTargets(Span<const std::byte> stream) {
    for (std::size_t at = 0; at + 4 <= stream.size();) {
      const std::uint32_t opcode = LoadU32(stream.data() + at) & kOpcodeMask;
      if (opcode == kStop) break;
      if (opcode == kBranch && at + 8 <= stream.size()) {
        if (target_count_ == kMostBranches) {
          return Bad("has more branches than this driver follows");
        }
        targets_[target_count_++] = LoadU32(stream.data() + at + 4);
      }
      at += opcode >= kHasPayload ? 8 : 4;
    }
    return Status::kOk;
  }

  // Where a branch leads, the registers are those of one way or another. So none of them counts as
  // set, and the same holds for what the NPU keeps between operations.
  void Arrive(std::uint32_t at) {
    for (std::uint32_t i = 0; i < target_count_; ++i) {
      if (targets_[i] != at) continue;
      reached_ |= 1u << i;
      Forget();
    }
  }

  Status Branch(std::uint32_t param, std::uint32_t target, std::size_t stream_bytes) {
    if (param > 1) return Bad(kReservedValue);
    if (target >= stream_bytes || target % 4 != 0) {
      return Bad("branches to a place outside the stream, or into a word");
    }
    Forget();
    return Status::kOk;
  }

  // At OP_STOP: whether each branch leads to a command before it.
  Status CheckTargets() {
    const std::uint64_t all = (std::uint64_t{1} << target_count_) - 1;
    return reached_ == all ? Status::kOk
                           : Bad("ends a stream in which a branch leads to no command before it");
  }

  Status Operate(std::uint32_t opcode, std::uint32_t param) {
    if (opcode == kDmaStart) return Copy();
    const Extent output = {registers_.Get(kOfmHeight) + 1, registers_.Get(kOfmWidth) + 1,
                           registers_.Get(kOfmDepth) + 1};
    const bool scaled_by_channel = (registers_.Get(kOfmPrecision) & kScaledByRegister) == 0;
    if (opcode == kElementwise) {
      PILOTLIGHT_TRY(AccessOperand(kIfmMap, output, registers_.Get(kIfmBroadcast)));
      const bool unary = (param >= kLrelu && param <= kClz) || param == kNot;
      if (!unary) PILOTLIGHT_TRY(AccessOperand(kIfm2Map, output, registers_.Get(kBroadcast)));
    } else {
      PILOTLIGHT_TRY(AccessInputs(opcode, param, output));
    }
    const bool product = opcode == kConv && param == kWeightsFromIfm2;
    const bool weights = (opcode == kConv && !product) || opcode == kDepthwise;
    if (product && scaled_by_channel) return Bad("is a matrix product with a scale per channel");
    if (weights || scaled_by_channel) PILOTLIGHT_TRY(AccessScales(output.depth));
    if (weights) PILOTLIGHT_TRY(AccessWeights(output.depth));
    PILOTLIGHT_TRY(Accumulate(opcode, product, output));
    return CheckTable();
  }

 private:
  void Forget() {
    registers_.Forget();
    kept_ = {};
    for (std::uint64_t& bytes : chains_) bytes = 0;
  }

  // The input of any operation but an elementwise one, and a second input in place of weights.
  Status AccessInputs(std::uint32_t opcode, std::uint32_t param, const Extent& output) {
    if (opcode == kPool && param == kNullPool) return Status::kOk;
    const bool sum = opcode == kPool && param == kReduceSum;
    Extent input = output;
    if (opcode == kConv || sum) input.depth = registers_.Get(kIfmDepth) + 1;
    if (opcode == kResize) {
      input.height = registers_.Get(kKernelHeight) + 1;
      input.width = registers_.Get(kKernelWidth) + 1;
    } else if (!sum) {
      PILOTLIGHT_TRY(Accept(ToInputSize(registers_, input)));
    }
    PILOTLIGHT_TRY(AccessStored(kIfmMap, input));
    if (opcode != kConv || param != kWeightsFromIfm2) return Status::kOk;
    return AccessStored(kIfm2Map, {1, output.depth, input.depth});
  }

  // Where the accumulator starts, and where the result goes.
  Status Accumulate(std::uint32_t opcode, bool ifm2_is_weights, const Extent& output) {
    const std::uint32_t format = registers_.Get(kAccFormat);
    const std::uint32_t start = format >> 4 & 3;
    const bool keeps = (format & kKeepAccumulator) != 0;
    const bool accumulates = opcode != kElementwise && opcode != kResize;
    if (!accumulates && (start != kFromZero || keeps)) {
      return Bad("continues or keeps an accumulator, which it does not have");
    }
    if (start == kFromKept && !Equal(kept_, output)) {
      return Bad("continues with an accumulator that the operation before it did not keep");
    }
    if (start == kFromIfm2) {
      if (ifm2_is_weights) return Bad("uses IFM2 as weights and as accumulator");
      PILOTLIGHT_TRY(AccessStored(kIfm2Map, output));
    }
    kept_ = keeps ? output : Extent{};
    return keeps ? Status::kOk : AccessOutput(output);
  }

  Status AccessOperand(const FeatureMap& map, const Extent& output, std::uint32_t mode) {
    return mode == kScalar ? Status::kOk : AccessStored(map, Broadcast(output, mode));
  }

  // An input in memory, or in a chain buffer that an earlier operation has filled.
  Status AccessStored(const FeatureMap& map, const Extent& size) {
    const std::uint32_t storage = registers_.Get(map.precision) >> kStorageShift;
    if (storage == kTiled) return AccessMap(map, size);
    if (storage != kChained) return Bad(kUnknownStorage);
    if (ChainBuffer(map) == ChainBytes(map, size)) return Status::kOk;
    return Bad("reads a chain buffer that this stream has not filled with a map of this size");
  }

  Status AccessOutput(const Extent& size) {
    const std::uint32_t precision = registers_.Get(kOfmPrecision);
    const std::uint32_t storage = precision >> kStorageShift;
    if (storage == kTiled) return AccessMap(kOfmMap, Transposed(size, precision >> 11 & 7));
    if (storage != kChained || (precision & kReordered) != 0) return Bad(kUnknownStorage);
    ChainBuffer(kOfmMap) = ChainBytes(kOfmMap, size);
    return Status::kOk;
  }

  // What the chain buffer holds whose number is in a feature map's region; 0: nothing.
  std::uint64_t& ChainBuffer(const FeatureMap& map) {
    return chains_[registers_.Get(map.first + kRegion)];
  }

  std::uint64_t ChainBytes(const FeatureMap& map, const Extent& size) {
    const std::uint32_t element_bits = registers_.Get(map.precision) >> map.element_bit & 3;
    return (std::uint64_t{size.height} * size.width * size.depth) << element_bits;
  }

  // Biases and scales, in one stream for all decoders.
  Status AccessScales(std::uint32_t channels) {
    const std::int64_t base = registers_.Address(kStreamGroup, kScaleBase);
    const std::int64_t length = registers_.Address(kStreamGroup, kScaleLength);
    if (length < kScaleRecordBytes * channels) return Bad(kTooFewScales);
    return Access(kScaleChannel, registers_.Get(kScaleRegion), {base, base + length});
  }

  // The stream of a decoder without channels may be empty; if it is not, the decoder may read it.
  Status AccessWeights(std::uint32_t channels) {
    const bool one_stream = (registers_.Get(kWeightFormat) & kFastFormat) != 0;
    const std::uint32_t decoders = one_stream ? 1 : build_.cores;
    for (std::uint32_t decoder = 0; decoder < decoders; ++decoder) {
      // The registers of all decoders but the first are one after the other.
      const std::uint32_t group = decoder == 0 ? kStreamGroup : kCore1Group;
      const std::uint32_t place = decoder == 0 ? kWeightBase : 2 * (decoder - 1);
      const bool idle = decoder * kChannelsOfDecoder >= channels;
      if (idle && !registers_.HasBytes(group, place + 1)) continue;
      const std::int64_t base = registers_.Address(group, place);
      const std::int64_t length = registers_.Address(group, place + 1);
      PILOTLIGHT_TRY(Access(kWeightChannel, registers_.Get(kWeightRegion), {base, base + length}));
    }
    return Status::kOk;
  }

  // The activation's table, in the NPU's own memory. The field `table` counts tables of its size.
  Status CheckTable() {
    const std::uint32_t activation = registers_.Get(kActivation);
    if (registers_.used_unset()) return Bad(kUnsetRegister);
    const std::uint32_t end = kTableBytes[activation & 0x1F] * ((activation >> 5 & 7) + 1);
    return end <= kTableMemoryBytes ? Status::kOk : Bad(kTableBeyondMemory);
  }

  // A copy of rows in planes. An index list in memory may replace the number of a row.
  Status Copy() {
    const std::uint32_t source = registers_.Get(kDmaSource), target = registers_.Get(kDmaTarget);
    if ((source & kInternalMemory) != 0) return Bad(kUnknownCopy);
    const std::uint32_t dimensions = source >> 9 & 3;
    const std::uint32_t rows = dimensions >= 1 ? registers_.Get(kDmaSize0) : 1;
    const std::uint32_t planes = dimensions == 2 ? registers_.Get(kDmaSize1) : 1;
    if (rows == 0 || planes == 0 || registers_.Address(kDmaGroup, kLength) == 0) {
      return Bad("copies nothing");
    }
    if ((source & target & kIndexed) != 0) return Bad(kUnknownCopy);
    if (((source | target) & kIndexed) != 0) PILOTLIGHT_TRY(AccessIndices(rows, planes));
    const ByteRange from = CopiedBytes(kSource, kSourceStride0, RowsOf(source, rows), planes);
    PILOTLIGHT_TRY(Access(kDmaReadChannel, source & kRegionMask, from));
    const ByteRange to = CopiedBytes(kTarget, kTargetStride0, RowsOf(target, rows), planes);
    if ((target & kInternalMemory) == 0) {
      return Access(kDmaWriteChannel, target & kRegionMask, to);
    }
    if (registers_.used_unset()) return Bad(kUnsetRegister);
    const bool inside = to.begin >= 0 && to.end <= std::int64_t{build_.internal_kib} * 1024;
    return inside ? Status::kOk : Bad(kCopyBeyondMemory);
  }

  // The rows that a copy can reach. An index may have any value up to the last one.
  std::uint32_t RowsOf(std::uint32_t region, std::uint32_t rows) {
    if ((region & kIndexed) == 0) return rows;
    return static_cast<std::uint32_t>(registers_.Address(kDmaGroup, kLastIndex)) + 1;
  }

  // The bytes of `rows` rows in each of `planes` planes, at the distances in two registers.
  ByteRange CopiedBytes(std::uint32_t base_place, std::uint32_t stride_place, std::uint32_t rows,
                        std::uint32_t planes) {
    const std::int64_t length = registers_.Address(kDmaGroup, kLength);
    const std::int64_t base = registers_.Address(kDmaGroup, base_place);
    ByteRange bytes = {base, base + length};
    if (rows > 1) Extend(bytes, rows - 1, registers_.Stride(kDmaGroup, stride_place));
    if (planes > 1) Extend(bytes, planes - 1, registers_.Stride(kDmaGroup, stride_place + 1));
    return bytes;
  }

  // The list of indices, one for each row of each plane.
  Status AccessIndices(std::uint32_t rows, std::uint32_t planes) {
    const std::int64_t list_bytes = std::int64_t{4} * rows;
    const std::int64_t base = registers_.Address(kDmaGroup, kIndexList);
    ByteRange bytes = {base, base + list_bytes};
    if (planes > 1) {
      Extend(bytes, planes - 1, list_bytes + registers_.Stride(kDmaGroup, kIndexSkip1));
    }
    return Access(kDmaReadChannel, registers_.Get(kDmaIndexRegion), bytes);
  }

  // Extends a range by `steps` copies of itself, each `stride` bytes after the one before it.
  static void Extend(ByteRange& bytes, std::uint32_t steps, std::int64_t stride) {
    // Five strides of this length leave any region, so more need not be added. This keeps sums
    // within 64 bits: 2^31 steps of less than 2^30, or five of less than 2^40.
    constexpr std::int64_t kLongStride = std::int64_t{1} << 30;
    constexpr std::uint32_t kStepsOfLongStrides = 5;
    const bool is_long = stride >= kLongStride || stride <= -kLongStride;
    if (is_long && steps > kStepsOfLongStrides) steps = kStepsOfLongStrides;
    (stride < 0 ? bytes.begin : bytes.end) += steps * stride;
  }

  static constexpr char kUnknownStorage[] = "has a feature map without tiles in memory";

  std::uint64_t chains_[kChainBuffers] = {};  // Bytes that operations have written to each.
  std::uint32_t targets_[kMostBranches];
  std::uint32_t target_count_ = 0;
  std::uint32_t reached_ = 0;  // A bit for each target that is the place of a command.
  Extent kept_ = {};           // The accumulator that the last operation kept; depth 0: none.
};

}  // namespace

Status VerifyVersion1(Span<const std::byte> stream, const NpuIdentity& built_for,
                      const RegionSizes& regions, std::uint8_t& used_regions, Failure& failure) {
  return Verifier(stream, built_for, regions, failure).Verify(used_regions);
}

}  // namespace pilotlight::ethos_u
