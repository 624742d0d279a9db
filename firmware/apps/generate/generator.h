// SPDX-License-Identifier: Apache-2.0
//
// Runs the model of the image token by token. Owns the text so far: its tokens are in the model's
// cache. This class does not know how tokens are chosen or where they go.
#pragma once

#include <cstdint>

#include "pilotlight/base/span.h"
#include "pilotlight/pilotlight.h"

namespace pilotlight::generate {

// What one step cost.
struct StepCost {
  std::uint64_t npu_cycles = 0;
  std::uint64_t cpu_cycles = 0;  // Of the whole step, with filling inputs and the cache.
  std::uint64_t duration_us = 0;
};

class Generator {
 public:
  // Call once, after pilotlight_init(). Opens the image's model and compares it with the
  // description. failure() gives the reason of an error.
  pilotlight_status_t Open();
  const char* failure() const;

  // Begins a new text: the cache holds no tokens.
  void Forget();

  // Appends `token` to the text and computes logits(). Precondition: position() < kContext.
  // After an error the text is unusable until Forget().
  pilotlight_status_t Step(std::uint16_t token);

  // Scores for the token after the last one. Valid until the next Step() or Forget().
  Span<const std::int8_t> logits() const;
  const StepCost& cost() const { return cost_; }

  // Number of tokens of the text, and CRC-32 over them, each as u16, little endian.
  std::uint32_t position() const { return position_; }
  std::uint32_t history_crc() const { return history_crc_; }

 private:
  bool MatchesDescription() const;

  pilotlight_model_t model_ = {};
  const char* mismatch_ = nullptr;
  std::uint32_t position_ = 0;
  std::uint32_t history_crc_ = 0;
  StepCost cost_;
};

}  // namespace pilotlight::generate
