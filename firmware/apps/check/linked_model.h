// SPDX-License-Identifier: Apache-2.0
//
// Implements ModelPort for a model of this image, with the C API that apps use.
#pragma once

#include "model_port.h"
#include "pilotlight/pilotlight.h"

namespace pilotlight::check {

class LinkedModel final : public ModelPort {
 public:
  // Loads the model; status() has the result. `descriptor` must outlive this object.
  void Open(const pilotlight_model_descriptor_t& descriptor);

  const pilotlight_model_descriptor_t& descriptor() const override { return *descriptor_; }
  Status status() const override { return status_; }
  const char* status_text() const override { return status_text_; }
  Span<std::byte> Input(std::uint32_t index) override;
  Span<const std::byte> Output(std::uint32_t index) override;
  void Poison(std::byte pattern) override;
  void ResetState() override;
  Status Run(std::uint32_t timeout_us) override;
  const char* failure() const override { return pilotlight_failure(&model_); }
  pilotlight_statistics_t Statistics() const override { return pilotlight_stats(&model_); }

 private:
  pilotlight_model_t model_ = {};
  const pilotlight_model_descriptor_t* descriptor_ = nullptr;
  Status status_ = Status::kBadArgument;
  const char* status_text_ = "not opened";
};

}  // namespace pilotlight::check
