// SPDX-License-Identifier: Apache-2.0
#include "operand_geometry.h"

namespace pilotlight::ethos_u {
namespace {

// The lowest and the highest offset of `count` elements that are `stride` apart.
std::int64_t Below(std::int64_t count, std::int64_t stride) {
  return stride < 0 ? (count - 1) * stride : 0;
}
std::int64_t Above(std::int64_t count, std::int64_t stride) {
  return stride > 0 ? (count - 1) * stride : 0;
}

std::uint32_t Min(std::uint32_t a, std::uint32_t b) { return a < b ? a : b; }

const char* ToInputSize(CommandRegisters& registers, std::uint32_t kernel_size, std::uint32_t axis,
                        std::uint32_t pad_before, std::uint32_t pad_after, std::uint32_t& size) {
  const std::uint32_t word = registers.Get(kKernelStride);
  const std::uint32_t stride = 1 + (word >> axis & 1) + 2 * (word >> (6 + 3 * axis) & 1);
  std::uint32_t reach = registers.Get(kernel_size);
  if ((word >> (3 + axis) & 1) != 0) reach &= ~1u;  // Dilated by two: no tap at odd places.
  const std::uint32_t padding = registers.Get(pad_before) + registers.Get(pad_after);
  size = (size - 1) * stride + reach + 1;
  if (size < padding) return "pads more than its kernel covers";
  size -= padding;
  if (registers.Get(kUpscale) != 0) size = (size + 1) / 2;
  return nullptr;
}

}  // namespace

const char* ToInputSize(CommandRegisters& registers, Extent& size) {
  if (const char* reason =
          ToInputSize(registers, kKernelHeight, 1, kPadTop, kPadBottom, size.height)) {
    return reason;
  }
  return ToInputSize(registers, kKernelWidth, 0, kPadLeft, kPadRight, size.width);
}

const char* MapLayout::Read() {
  const std::uint32_t precision = registers_.Get(map_.precision);
  const std::int64_t element_bytes = 1 << (precision >> map_.element_bit & 3);
  bricks_ = (precision & 0x40) != 0;
  left_columns_ = Min(size_.width, registers_.Get(map_.first + kWidth0) + 1);
  upper_rows_[0] = Min(size_.height, registers_.Get(map_.first + kHeight0) + 1);
  // Without columns on the right, the hardware does not use this register.
  if (left_columns_ < size_.width) {
    upper_rows_[1] = Min(size_.height, registers_.Get(map_.first + kHeight1) + 1);
  }
  stride_x_ = registers_.Stride(map_.group, kStrideX);
  stride_y_ = registers_.Stride(map_.group, kStrideY);
  const std::int64_t channel_bytes = size_.depth * element_bytes;
  pixel_end_ = channel_bytes;
  if (!bricks_) return nullptr;

  const std::int64_t brick_bytes = kBrickChannels * element_bytes;
  if (stride_x_ != brick_bytes) return "has NHCWB16 columns that are not one brick apart";
  const std::int64_t stride_c = registers_.Stride(map_.group, kStrideC);
  const std::uint32_t full = (size_.depth - 1) / kBrickChannels;  // Bricks before the last one.
  const std::int64_t last = full * stride_c;
  pixel_end_ = last + channel_bytes - full * brick_bytes;
  if (full != 0) {
    pixel_begin_ = last < 0 ? last : 0;
    const std::int64_t before = Above(full, stride_c) + brick_bytes;
    if (before > pixel_end_) pixel_end_ = before;
  }
  return nullptr;
}

const char* MapLayout::TileBytes(std::uint32_t tile, ByteRange& bytes) {
  const std::int64_t columns = Columns(tile), rows = Rows(tile);
  const std::int64_t base = registers_.Address(map_.group, tile);
  if (bricks_ && base % kBrickChannels != 0) {
    return "has NHCWB16 bricks that are not 16-byte aligned";
  }
  bytes.begin = base + pixel_begin_ + Below(rows, stride_y_) + Below(columns, stride_x_);
  bytes.end = base + pixel_end_ + Above(rows, stride_y_) + Above(columns, stride_x_);
  return nullptr;
}

}  // namespace pilotlight::ethos_u
