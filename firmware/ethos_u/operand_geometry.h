// SPDX-License-Identifier: Apache-2.0
//
// The size and the bytes of an operation's feature maps, from the registers. Sums are in 64 bits
// and cannot overflow: dimensions have at most 19 bits, strides 40.
#pragma once

#include <cstdint>

#include "command_registers.h"
#include "region_access.h"

namespace pilotlight::ethos_u {

constexpr std::uint32_t kBrickChannels = 16;
constexpr std::uint32_t kTiles = 4;

// The registers of one feature map.
struct FeatureMap {
  Channel channel;
  std::uint8_t first;      // Setting
  std::uint8_t precision;  // Setting
  std::uint8_t element_bit;
  std::uint8_t group;
};
constexpr FeatureMap kIfmMap = {kIfmChannel, kIfm, kIfmPrecision, 2, kIfmGroup};
constexpr FeatureMap kIfm2Map = {kIfm2Channel, kIfm2, kIfm2Precision, 2, kIfm2Group};
constexpr FeatureMap kOfmMap = {kOfmChannel, kOfm, kOfmPrecision, 1, kOfmGroup};

struct Extent {
  std::uint32_t height;
  std::uint32_t width;
  std::uint32_t depth;
};

// Computes height and width of the stored input from those of the output, in place. No register
// holds them. Returns why the operation is refused, or null.
const char* ToInputSize(CommandRegisters& registers, Extent& size);

// A feature map with its layout, NHWC or NHCWB16 (bricks of 16 channels).
class MapLayout {
 public:
  MapLayout(CommandRegisters& registers, const FeatureMap& map, const Extent& size)
      : registers_(registers), map_(map), size_(size) {}

  // Reads the layout. Returns why the layout is refused, or null.
  const char* Read();

  // Elements of a tile, 0..3: upper left, upper right, lower left, lower right.
  std::uint32_t Columns(std::uint32_t tile) const {
    return IsRight(tile) ? size_.width - left_columns_ : left_columns_;
  }
  std::uint32_t Rows(std::uint32_t tile) const {
    const std::uint32_t upper = upper_rows_[tile & 1];
    return IsLower(tile) ? size_.height - upper : upper;
  }

  // Computes the bytes of a tile that has elements. Returns why they are refused, or null.
  const char* TileBytes(std::uint32_t tile, ByteRange& bytes);

 private:
  static bool IsRight(std::uint32_t tile) { return (tile & 1) != 0; }
  static bool IsLower(std::uint32_t tile) { return (tile & 2) != 0; }

  CommandRegisters& registers_;
  const FeatureMap& map_;
  const Extent& size_;
  bool bricks_ = false;
  std::uint32_t left_columns_ = 0;
  std::uint32_t upper_rows_[2] = {};  // Of the left and of the right tiles.
  std::int64_t stride_x_ = 0;
  std::int64_t stride_y_ = 0;
  // The bytes of a pixel's channels, relative to its address.
  std::int64_t pixel_begin_ = 0;
  std::int64_t pixel_end_ = 0;
};

}  // namespace pilotlight::ethos_u
