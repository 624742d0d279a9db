// SPDX-License-Identifier: Apache-2.0
#include "sampler.h"

#include <algorithm>

namespace pilotlight::generate {
namespace {

constexpr std::uint64_t kMultiplier = 6364136223846793005u;
constexpr std::uint64_t kIncrement = (54u << 1) | 1u;

// Logits that may be drawn: all above `lowest`, and the first `at_lowest` of those that equal it.
struct Kept {
  int lowest;
  std::size_t at_lowest;
};

Kept KeepLargest(Span<const std::int8_t> logits, std::size_t top_k) {
  if (top_k == 0 || top_k >= logits.size()) return {INT8_MIN, logits.size()};
  std::uint16_t count[Sampler::kWeights] = {};
  for (const std::int8_t logit : logits) ++count[logit - INT8_MIN];
  std::size_t left = top_k;
  int lowest = INT8_MAX;
  while (count[lowest - INT8_MIN] < left) {
    left -= count[lowest - INT8_MIN];
    --lowest;
  }
  return {lowest, left};
}

}  // namespace

Pcg32::Pcg32(std::uint64_t seed) {
  Next();
  state_ += seed;
  Next();
}

std::uint32_t Pcg32::Next() {
  const std::uint64_t old = state_;
  state_ = old * kMultiplier + kIncrement;
  const auto shifted = static_cast<std::uint32_t>(((old >> 18) ^ old) >> 27);
  const auto turn = static_cast<unsigned>(old >> 59);
  return (shifted >> turn) | (shifted << ((32 - turn) & 31));
}

bool Sampler::UseWeights(Span<const std::uint32_t> weights, std::size_t top_k, std::uint64_t seed) {
  if (weights.size() != kWeights || weights[0] == 0) return false;
  if (*std::max_element(weights.begin(), weights.end()) > kMaxWeight) return false;
  std::copy(weights.begin(), weights.end(), weights_);
  top_k_ = top_k;
  random_ = Pcg32(seed);
  greedy_ = false;
  return true;
}

std::size_t Sampler::Next(Span<const std::int8_t> logits) {
  const std::int8_t* const largest = std::max_element(logits.begin(), logits.end());
  if (greedy_) return static_cast<std::size_t>(largest - logits.begin());

  // Two passes: the sum of the weights, then the logit at the drawn part of the sum.
  const Kept kept = KeepLargest(logits, top_k_);
  std::uint64_t aim = UINT64_MAX;
  for (;;) {
    std::uint64_t sum = 0;
    std::size_t at_lowest = kept.at_lowest;
    for (std::size_t i = 0; i < logits.size(); ++i) {
      if (logits[i] < kept.lowest || (logits[i] == kept.lowest && at_lowest == 0)) continue;
      if (logits[i] == kept.lowest) --at_lowest;
      sum += weights_[*largest - logits[i]];
      if (sum > aim) return i;
    }
    aim = (random_.Next() * sum) >> 32;
  }
}

}  // namespace pilotlight::generate
