// SPDX-License-Identifier: Apache-2.0
#include "linked_model.h"

namespace pilotlight::check {

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

Status LinkedModel::Run(std::uint32_t timeout_us) {
  return static_cast<Status>(pilotlight_run(&model_, timeout_us));
}

}  // namespace pilotlight::check
