// SPDX-License-Identifier: Apache-2.0
//
// Chooses the next token from a model's logits, with integers alone, so that a host can repeat it
// exactly (SPEC.md, "The sampler"). Needs neither board nor model.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pilotlight/base/span.h"

namespace pilotlight::generate {

// O'Neill's PCG-XSH-RR with 64 bits of state and 32 bits of result (pcg32), stream 54.
class Pcg32 {
 public:
  explicit Pcg32(std::uint64_t seed);
  std::uint32_t Next();

 private:
  std::uint64_t state_ = 0;
};

class Sampler {
 public:
  // One weight for each difference of two int8 logits.
  static constexpr std::size_t kWeights = 256;
  static constexpr std::uint32_t kMaxWeight = 65536;

  // Next() returns the first of the largest logits. This is the state after construction.
  void UseGreedy() { greedy_ = true; }

  // Next() draws one of the `top_k` largest logits, or of all if `top_k` is 0. A logit that is `d`
  // below the largest has weight `weights[d]`. Returns false, and changes nothing, if a weight
  // is above kMaxWeight or weights[0] is 0.
  bool UseWeights(Span<const std::uint32_t> weights, std::size_t top_k, std::uint64_t seed);

  // Precondition: from 1 to 65535 logits.
  std::size_t Next(Span<const std::int8_t> logits);

 private:
  bool greedy_ = true;
  std::size_t top_k_ = 0;
  std::uint32_t weights_[kWeights] = {};
  Pcg32 random_{0};
};

}  // namespace pilotlight::generate
