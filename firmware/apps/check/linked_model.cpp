// SPDX-License-Identifier: Apache-2.0
#include "linked_model.h"

#include <cstring>

#include "pilotlight/ethos_u/npu.h"
#include "pilotlight/ethos_u/registers.h"

namespace pilotlight::check {
namespace {

static_assert(ethos_u::reg::kPmEventCounters <= kMaxEvents);

PoolUse ToPoolUse(const model::PoolUse& use) {
  return {static_cast<std::uint32_t>(use.used_bytes), static_cast<std::uint32_t>(use.size_bytes)};
}

}  // namespace

void LinkedModel::Open(const pilotlight_model_descriptor_t& descriptor,
                       ethos_u::EthosUBackend* backend, Status npu_status, const char* npu_text) {
  descriptor_ = &descriptor;
  const bool needs_npu = descriptor.npu_config[0] != '\0';
  if (needs_npu && npu_status != Status::kOk) {
    status_ = npu_status;
    status_text_ = npu_text;
    return;
  }
  status_ = model_.Open(descriptor, backend);
  status_text_ = model_.failure_text();
}

void LinkedModel::Poison(std::byte pattern) {
  // Model::Poison() covers outputs and scratch. Results of operators in between lie in the rest
  // of the plan: one that is never written must not pass for this inference's either.
  for (std::uint32_t i = 0; i < descriptor_->planned_buffer_count; ++i) {
    const pilotlight_arena_t& buffer = descriptor_->planned_buffers[i];
    std::memset(buffer.data, std::to_integer<int>(pattern), buffer.size_bytes);
  }
  model_.Poison(pattern);
}

Inference LinkedModel::Run(std::uint64_t deadline_us) {
  // What the driver was told to count; see NpuOptions.
  static constexpr ethos_u::NpuOptions kOptions;
  Inference inference;
  inference.status = model_.Run(deadline_us);
  inference.text = model_.failure_text();
  const ethos_u::BackendStats& npu = model_.last_inference().npu;
  inference.npu_cycles = npu.npu_cycles;
  if (npu.runs == 0) return inference;
  inference.event_count = ethos_u::reg::kPmEventCounters;
  for (std::uint8_t i = 0; i < inference.event_count; ++i) {
    inference.events[i] = {kOptions.events[i], static_cast<std::uint32_t>(npu.events[i])};
  }
  return inference;
}

ModelMemory LinkedModel::Memory() const {
  const model::MemoryStats memory = model_.memory();
  return {ToPoolUse(memory.method_pool), ToPoolUse(memory.temp_pool),
          static_cast<std::uint32_t>(memory.planned_bytes)};
}

}  // namespace pilotlight::check
