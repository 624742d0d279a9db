// SPDX-License-Identifier: Apache-2.0
//
// The driver's knowledge of an NPU product, as data.
// python/pilotlight/npu/stream/firmware_tables.py writes the data at build time.
#pragma once

#include <cstddef>
#include <cstdint>

#include "command_registers.h"
#include "pilotlight/ethos_u/command_stream.h"
#include "pilotlight/ethos_u/failure.h"
#include "pilotlight/ethos_u/products.h"

namespace pilotlight::ethos_u {

// The value of `count` registers from `offset` on. A reset clears them. is_attributes: a memory
// attribute set, to which the driver adds the memory's type.
struct RegisterSetup {
  std::uint16_t offset;
  std::uint8_t count;
  bool is_attributes;
  std::uint32_t value;
};

// Facts that follow from product and MACs. cores: decoders of weight streams. internal_kib:
// internal memory of one core that copies can write.
struct NpuBuild {
  std::uint16_t macs;
  std::uint8_t cores;
  std::uint8_t internal_kib;
};

// As VerifyStream(), for the versions of command streams (CONFIG.cmd_stream_version).
using StreamCheck = Status(Span<const std::byte> stream, const NpuIdentity& built_for,
                           const RegionSizes& regions, std::uint8_t& used_regions,
                           Failure& failure);
StreamCheck VerifyVersion0, VerifyVersion1;

}  // namespace pilotlight::ethos_u

struct pilotlight_npu_product {
  std::uint8_t number;        // CONFIG.product.
  std::uint8_t address_bits;  // Width of an address.
  std::uint8_t setup_count;
  std::uint8_t build_count;  // At least one.
  // The distance of the PMU's registers from the offsets in registers.h.
  std::uint16_t pmu_window;
  // The bit of STATUS for a fault that other products do not have.
  std::uint16_t own_fault;
  // The bits of CONFIG that the hardware and a stream must have in common.
  std::uint32_t config_match;
  const pilotlight::ethos_u::RegisterSetup* setup;
  const pilotlight::ethos_u::NpuBuild* builds;
  pilotlight::ethos_u::StreamCheck* verify;
  pilotlight::ethos_u::CommandSet commands;
};

namespace pilotlight::ethos_u {

using NpuProduct = pilotlight_npu_product;

// Returns the product of `npu`, or null if this image does not support it.
const NpuProduct* FindProduct(const NpuIdentity& npu);

// Arm's names by CONFIG.product, including products that this driver does not run.
extern const char* const kFamilyNames[];
extern const std::uint32_t kFamilyCount;

}  // namespace pilotlight::ethos_u
