// SPDX-License-Identifier: Apache-2.0
#include "generator.h"

#include <cstddef>
#include <cstring>

#include "description.h"
#include "pilotlight/base/crc32.h"
#include "pilotlight/models.h"
#include "pilotlight/platform/clock.h"

namespace pilotlight::generate {

using namespace description;  // NOLINT: the app is about it

namespace {

// Far more than a step takes, because a simulated NPU shares its host with other processes.
constexpr std::uint32_t kRunTimeoutUs = 30'000'000;

const pilotlight_model_descriptor_t& About() { return *pilotlight_models[0]; }

bool IsTied(std::uint32_t input) {
  for (std::uint32_t i = 0; i < About().tie_count; ++i) {
    if (About().ties[i].input == input) return true;
  }
  return false;
}

// A tied input needs no table, and each other input exactly one with rows of its size.
bool HasItsTable(std::uint32_t input) {
  std::uint32_t tables = 0;
  for (const InputTable& table : kInputTables) {
    if (table.input != input) continue;
    ++tables;
    if (table.row_bytes != About().inputs[input].size_bytes) return false;
  }
  return tables == (IsTied(input) ? 0 : 1);
}

}  // namespace

pilotlight_status_t Generator::Open() {
  const pilotlight_status_t status = pilotlight_open(&model_, &About());
  if (status != PILOTLIGHT_OK) return status;
  if (!MatchesDescription()) {
    mismatch_ = "the tables of the image are not those of its model: build again";
    return PILOTLIGHT_BAD_MODEL;
  }
  Forget();
  return PILOTLIGHT_OK;
}

const char* Generator::failure() const {
  return mismatch_ != nullptr ? mismatch_ : pilotlight_failure(&model_);
}

// The cache holds one token less than the context: the newest is an input of its own.
bool Generator::MatchesDescription() const {
  const pilotlight_model_descriptor_t& about = About();
  for (std::uint32_t i = 0; i < about.input_count; ++i) {
    if (!HasItsTable(i)) return false;
  }
  for (std::uint32_t i = 0; i < about.tie_count; ++i) {
    if (about.ties[i].axis < 0 || about.ties[i].slots + 1 != kContext) return false;
  }
  return about.tie_count != 0 && kLogits < about.output_count &&
         about.outputs[kLogits].dtype == PILOTLIGHT_INT8 &&
         about.outputs[kLogits].size_bytes == kVocabulary;
}

void Generator::Forget() {
  position_ = 0;
  history_crc_ = 0;
  pilotlight_reset_ties(&model_);
}

pilotlight_status_t Generator::Step(std::uint16_t token) {
  const std::uint64_t start_us = platform::NowUs();
  const std::uint64_t start_cycles = platform::CpuCycles();
  for (const InputTable& table : kInputTables) {
    const std::size_t row = table.by_token ? token : position_;
    std::memcpy(pilotlight_input(&model_, table.input).data, table.values + row * table.row_bytes,
                table.row_bytes);
  }
  pilotlight_status_t status = pilotlight_run(&model_, kRunTimeoutUs);
  // The last token of the context has no slot, and no step follows it.
  if (status == PILOTLIGHT_OK && position_ + 1 < kContext) {
    status = pilotlight_commit_ties(&model_, position_);
  }
  if (status != PILOTLIGHT_OK) return status;
  const std::byte bytes[] = {static_cast<std::byte>(token & 0xFF),
                             static_cast<std::byte>(token >> 8)};
  history_crc_ = Crc32(bytes, history_crc_);
  ++position_;
  cost_.npu_cycles = pilotlight_stats(&model_).npu_cycles;
  cost_.cpu_cycles = platform::CpuCycles() - start_cycles;
  cost_.duration_us = platform::NowUs() - start_us;
  return PILOTLIGHT_OK;
}

Span<const std::int8_t> Generator::logits() const {
  return {static_cast<const std::int8_t*>(pilotlight_output(&model_, kLogits).data), kVocabulary};
}

}  // namespace pilotlight::generate
