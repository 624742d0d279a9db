// SPDX-License-Identifier: Apache-2.0
//
// Verifies command streams of version 0.
#include "stream_verifier.h"

namespace pilotlight::ethos_u {
namespace {

constexpr std::uint32_t kFirstTable = 16;
constexpr std::uint32_t kTableSlotBytes = 256;

class Verifier final : public StreamVerifier<Verifier> {
 public:
  Verifier(Span<const std::byte> stream, const NpuIdentity& npu, const RegionSizes& regions,
           Failure& failure)
      : StreamVerifier(stream, npu, regions, failure) {}

  static constexpr bool kHasIllegalValues = false;
  static constexpr bool kHasBranches = false;

  // Why a command with a payload is refused that sets no register; null if it sets one.
  static const char* Refusal(std::uint32_t) { return nullptr; }

  Status Operate(std::uint32_t opcode, std::uint32_t param) {
    if (opcode == kDmaStart) return Copy();
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
    const bool scaled_by_channel = (registers_.Get(kOfmPrecision) & kScaledByRegister) == 0;
    if (convolution || (opcode == kPool && scaled_by_channel)) {
      PILOTLIGHT_TRY(AccessStreams(convolution, output.depth));
    }
    PILOTLIGHT_TRY(AccessMap(kOfmMap, output));
    return CheckTable();
  }

 private:
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
        if (length < kScaleRecordBytes * records) return Bad(kTooFewScales);
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
      return Bad(kTableBeyondMemory);
    }
    return Status::kOk;
  }

  Status Copy() {
    const std::uint32_t source = registers_.Get(kDmaSource), target = registers_.Get(kDmaTarget);
    const std::int64_t length = registers_.Address(kDmaGroup, kLength);
    const std::int64_t from = registers_.Address(kDmaGroup, kSource);
    const std::int64_t to = registers_.Address(kDmaGroup, kTarget);
    // Copies in two dimensions, which compilers do not make, and reads of the NPU's own memory.
    if (((source | target) & 0x600) != 0 || (source & kInternalMemory) != 0) {
      return Bad(kUnknownCopy);
    }
    PILOTLIGHT_TRY(Access(kDmaReadChannel, source, {from, from + length}));
    if ((target & kInternalMemory) == 0) return Access(kDmaWriteChannel, target, {to, to + length});
    if (length != 0 && to + length > std::int64_t{build_.internal_kib} * 1024) {
      return Bad(kCopyBeyondMemory);
    }
    return Status::kOk;
  }
};

}  // namespace

Status VerifyVersion0(Span<const std::byte> stream, const NpuIdentity& built_for,
                      const RegionSizes& regions, std::uint8_t& used_regions, Failure& failure) {
  return Verifier(stream, built_for, regions, failure).Verify(used_regions);
}

}  // namespace pilotlight::ethos_u
