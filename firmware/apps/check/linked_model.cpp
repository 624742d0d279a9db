// SPDX-License-Identifier: Apache-2.0
#include "linked_model.h"

#include "pilotlight/platform/clock.h"

namespace pilotlight::check {
namespace {

static_assert(PILOTLIGHT_NPU_EVENTS <= kMaxEvents);

PoolUse ToPoolUse(const pilotlight_pool_use_t& use) { return {use.used_bytes, use.size_bytes}; }

}  // namespace

void LinkedModel::Open(const pilotlight_model_descriptor_t& descriptor) {
  descriptor_ = &descriptor;
  status_ = static_cast<Status>(pilotlight_open(&model_, &descriptor));
  status_text_ = pilotlight_failure(&model_);
}

Span<std::byte> LinkedModel::Input(std::uint32_t index) {
  const pilotlight_tensor_t input = pilotlight_input(&model_, index);
  return {static_cast<std::byte*>(input.data), input.size_bytes};
}

Span<const std::byte> LinkedModel::Output(std::uint32_t index) {
  const pilotlight_tensor_t output = pilotlight_output(&model_, index);
  return {static_cast<const std::byte*>(output.data), output.size_bytes};
}

void LinkedModel::Poison(std::byte pattern) {
  pilotlight_poison(&model_, std::to_integer<std::uint8_t>(pattern));
}

void LinkedModel::ResetState() { pilotlight_reset_state(&model_); }

Inference LinkedModel::Run(std::uint64_t deadline_us) {
  const std::uint64_t now_us = platform::NowUs();
  const std::uint64_t left_us = deadline_us > now_us ? deadline_us - now_us : 0;
  Inference inference;
  inference.status = static_cast<Status>(pilotlight_run(
      &model_, left_us < UINT32_MAX ? static_cast<std::uint32_t>(left_us) : UINT32_MAX));
  inference.text = pilotlight_failure(&model_);
  const pilotlight_statistics_t statistics = pilotlight_stats(&model_);
  inference.npu_cycles = statistics.npu_cycles;
  inference.npu_status = statistics.npu_status;
  if (statistics.npu_runs == 0) return inference;
  inference.event_count = PILOTLIGHT_NPU_EVENTS;
  for (std::uint8_t i = 0; i < inference.event_count; ++i) {
    inference.events[i] = {statistics.npu_events[i].event, statistics.npu_events[i].count};
  }
  return inference;
}

ModelMemory LinkedModel::Memory() const {
  const pilotlight_statistics_t statistics = pilotlight_stats(&model_);
  return {ToPoolUse(statistics.method_pool), ToPoolUse(statistics.temp_pool),
          statistics.planned.size_bytes};
}

}  // namespace pilotlight::check
