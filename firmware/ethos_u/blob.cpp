// SPDX-License-Identifier: Apache-2.0
#include "pilotlight/ethos_u/blob.h"

#include <cstring>

#include "little_endian.h"

namespace pilotlight::ethos_u {
namespace {

constexpr std::size_t kNameBytes = 16;
constexpr std::size_t kLengthAt = 16;
constexpr std::size_t kExternalAt = 20;
constexpr std::size_t kHeaderBytes = 32;
constexpr std::size_t kBlockAlignBytes = 16;

constexpr std::size_t kCountBytes = 4;
constexpr std::size_t kDims = 6;
constexpr std::size_t kElementBytesAt = 4 * kDims;
constexpr std::size_t kOffsetAt = kElementBytesAt + 4;
constexpr std::size_t kRegionAt = kOffsetAt + 4;
constexpr std::size_t kRecordBytes = kRegionAt + 4;

// More than any model has. The limit bounds the time that Apart() takes for a bad file.
constexpr std::uint64_t kMaxTensors = 64;

// Vela refuses command streams above 16 MiB, and no part of a blob is near 1 GiB. Below this
// limit, no sum or product of two sizes can overflow 64 bits.
constexpr std::uint32_t kMaxBytes = 1u << 30;

struct Block {
  Span<const std::byte> data;
  std::size_t at = 0;
  bool present = false;
};

enum BlockIndex { kBegin, kPayload, kWeights, kScratchSize, kInputs, kOutputs, kEnd, kBlockCount };
constexpr const char* kBlockNames[kBlockCount] = {"vela_bin_stream", "cmd_data", "weight_data",
                                                  "scratch_size",    "inputs",   "outputs",
                                                  "vela_end_stream"};

int IndexOf(const std::byte* name) {
  for (int i = 0; i < kBlockCount; ++i) {
    // Names are shorter than their field, so the comparison can include the NUL.
    if (std::memcmp(name, kBlockNames[i], std::strlen(kBlockNames[i]) + 1) == 0) return i;
  }
  return kBlockCount;
}

class Parser {
 public:
  Parser(Span<const std::byte> bytes, Blob& blob, BlobError& error)
      : bytes_(bytes), blob_(blob), error_(error) {}

  Status Blocks(Block (&blocks)[kBlockCount]) {
    std::size_t at = 0;
    while (!blocks[kEnd].present) {
      if (bytes_.size() - at < kHeaderBytes) return Bad("no room for a block header", at);
      const std::byte* header = bytes_.data() + at;
      const std::size_t length = LoadU32(header + kLengthAt);
      const int index = IndexOf(header);
      if (index == kBlockCount) return Fail(Status::kUnsupported, "unknown block", at);
      if ((index == kBegin) != (at == 0)) return Bad("blob does not begin with its header", at);
      if (header[kExternalAt] != std::byte{0}) {
        return Fail(Status::kUnsupported, "block is stored outside the blob", at);
      }
      Block& block = blocks[index];
      if (block.present) return Bad("block occurs twice", at);

      at += kHeaderBytes;
      if (length > bytes_.size() - at) return Bad("block is longer than the blob", at);
      const std::size_t padding = (kBlockAlignBytes - length % kBlockAlignBytes) % kBlockAlignBytes;
      if (padding > bytes_.size() - at - length) return Bad("block is not padded", at);
      block.data = bytes_.subspan(at, length);
      block.at = at;
      block.present = true;
      at += length + padding;
    }
    if (at != bytes_.size()) return Bad("bytes after the end", at);
    for (const Block& block : blocks) {
      if (!block.present) return Bad("a block is missing", at);
    }
    if (!blocks[kBegin].data.empty() || !blocks[kEnd].data.empty()) {
      return Bad("begin and end blocks must be empty", at);
    }
    return Status::kOk;
  }

  Status ScratchSize(const Block& block) {
    if (block.data.size() != sizeof(std::uint32_t)) {
      return Bad("scratch size is not a word", block.at);
    }
    const std::uint32_t size_bytes = LoadU32(block.data.data());
    if (size_bytes > kMaxBytes) return Bad("scratch size is impossible", block.at);
    blob_.sizes.bytes[kScratchRegion] = size_bytes;
    return Status::kOk;
  }

  // own_region: where the tensors lie if they are not in the scratch region.
  Status Table(const Block& block, std::uint32_t own_region, IoTable& table) {
    if (block.data.size() < kCountBytes) return Bad("no tensor count", block.at);
    const std::uint64_t count = LoadU32(block.data.data());
    if (count * kRecordBytes != block.data.size() - kCountBytes) {
      return Bad("tensor count and block length disagree", block.at);
    }
    if (count > kMaxTensors) return Fail(Status::kUnsupported, "too many tensors", block.at);
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t record = kCountBytes + i * kRecordBytes;
      PILOTLIGHT_TRY(Record(block.data.data() + record, block.at + record, own_region));
    }
    table = IoTable(block.data.data());
    return Status::kOk;
  }

  Status Apart(const IoTable& inputs, const Block& block) {
    for (std::size_t i = 1; i < inputs.size(); ++i) {
      const IoTensor a = inputs[i];
      for (std::size_t j = 0; j < i; ++j) {
        const IoTensor b = inputs[j];
        if (a.region == b.region && a.offset < b.offset + b.size_bytes &&
            b.offset < a.offset + a.size_bytes) {
          return Bad("two inputs overlap", block.at + kCountBytes + i * kRecordBytes);
        }
      }
    }
    return Status::kOk;
  }

 private:
  Status Record(const std::byte* record, std::size_t at, std::uint32_t own_region) {
    const std::uint32_t element_bytes = LoadU32(record + kElementBytesAt);
    if (element_bytes == 0 || element_bytes > 8) return Bad("tensor element size", at);
    std::uint64_t size_bytes = element_bytes;
    for (std::size_t d = 0; d < kDims; ++d) {
      const std::uint32_t dim = LoadU32(record + 4 * d);
      if (dim == 0 || dim > kMaxBytes) return Bad("tensor dimension", at);
      size_bytes *= dim;
      if (size_bytes > kMaxBytes) return Bad("tensor size", at);
    }
    const std::uint32_t region = LoadU32(record + kRegionAt);
    if (region != kScratchRegion && region != own_region) {
      return Fail(Status::kUnsupported, "tensor is not in the scratch region", at);
    }
    const std::uint64_t end = LoadU32(record + kOffsetAt) + size_bytes;
    std::uint32_t& limit = blob_.sizes.bytes[region];
    // The tensor's own region ends with its last tensor.
    if (region == own_region && end > limit && end <= kMaxBytes) {
      limit = static_cast<std::uint32_t>(end);
    }
    if (end > limit) return Bad("tensor reaches beyond its region", at);
    return Status::kOk;
  }

  Status Bad(const char* reason, std::size_t at) { return Fail(Status::kBadModel, reason, at); }

  Status Fail(Status status, const char* reason, std::size_t at) {
    error_.reason = reason;
    error_.offset = at;
    return status;
  }

  Span<const std::byte> bytes_;
  Blob& blob_;
  BlobError& error_;
};

}  // namespace

std::size_t IoTable::size() const { return block_ == nullptr ? 0 : LoadU32(block_); }

IoTensor IoTable::operator[](std::size_t index) const {
  const std::byte* record = block_ + kCountBytes + index * kRecordBytes;
  IoTensor tensor{};
  tensor.element_bytes = LoadU32(record + kElementBytesAt);
  tensor.offset = offset(index);
  tensor.region = region(index);
  tensor.size_bytes = tensor.element_bytes;
  for (std::size_t d = 0; d < kDims; ++d) tensor.size_bytes *= LoadU32(record + 4 * d);
  return tensor;
}

std::uint32_t IoTable::offset(std::size_t index) const {
  return LoadU32(block_ + kCountBytes + index * kRecordBytes + kOffsetAt);
}

std::uint32_t IoTable::region(std::size_t index) const {
  return LoadU32(block_ + kCountBytes + index * kRecordBytes + kRegionAt);
}

Status ParseBlob(Span<const std::byte> bytes, Blob& blob, BlobError& error) {
  Parser parser(bytes, blob, error);
  Block blocks[kBlockCount];
  PILOTLIGHT_TRY(parser.Blocks(blocks));
  blob = {};
  blob.payload = blocks[kPayload].data;
  blob.weights = blocks[kWeights].data;
  blob.sizes.bytes[0] = static_cast<std::uint32_t>(blob.weights.size());
  PILOTLIGHT_TRY(parser.ScratchSize(blocks[kScratchSize]));
  PILOTLIGHT_TRY(parser.Table(blocks[kInputs], kInputRegion, blob.inputs));
  PILOTLIGHT_TRY(parser.Table(blocks[kOutputs], kOutputRegion, blob.outputs));
  return parser.Apart(blob.inputs, blocks[kInputs]);
}

}  // namespace pilotlight::ethos_u
