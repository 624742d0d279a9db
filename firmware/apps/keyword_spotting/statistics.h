// SPDX-License-Identifier: Apache-2.0
//
// The cost of the sound since START. SPEC.md defines each value. The device's clock measures times.
#pragma once

#include <cstdint>

namespace pilotlight::keyword_spotting {

struct Statistics {
  std::uint64_t samples = 0;
  std::uint32_t feature_frames = 0;
  std::uint32_t inferences = 0;
  std::uint32_t failed_inferences = 0;
  std::uint32_t keywords = 0;
  std::uint64_t features_us = 0;
  std::uint64_t network_us = 0;  // Inferences, without npu_us.
  std::uint64_t npu_us = 0;      // Inferences, while the CPU waited for the NPU.
  std::uint64_t decision_us = 0;
  std::uint64_t npu_cycles = 0;
};

}  // namespace pilotlight::keyword_spotting
