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

  // Computes the bytes of a tile, 0..3, and returns why they are refused, or null. A tile without
  // elements has no bytes, and uses no address.
  const char* TileBytes(std::uint32_t tile, ByteRange& bytes);

 private:
  CommandRegisters& registers_;
  const FeatureMap& map_;
  const Extent& size_;
  bool bricks_ = false;
  std::int64_t stride_x_ = 0;
  std::int64_t stride_y_ = 0;
  ByteRange pixel_ = {};  // The channels of one pixel, relative to its address.
};

}  // namespace pilotlight::ethos_u
