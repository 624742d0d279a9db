// SPDX-License-Identifier: Apache-2.0
//
// A model of this image as the server sees it: model/ behind ModelPort.
#pragma once

#include "model_port.h"
#include "pilotlight/ethos_u/backend.h"
#include "pilotlight/model/model.h"

namespace pilotlight::check {

class LinkedModel final : public ModelPort {
 public:
  // Loads the model; status() says how that went. When the NPU could not be opened
  // and the model needs it, says so with `npu_status` and `npu_text` instead.
  // `backend` is null in that case. All pointers must outlive this.
  void Open(const pilotlight_model_descriptor_t& descriptor, ethos_u::EthosUBackend* backend,
            Status npu_status, const char* npu_text);

  const pilotlight_model_descriptor_t& descriptor() const override { return *descriptor_; }
  Status status() const override { return status_; }
  const char* status_text() const override { return status_text_; }
  Span<std::byte> Input(std::uint32_t index) override { return model_.InputBuffer(index); }
  Span<const std::byte> Output(std::uint32_t index) override { return model_.OutputBuffer(index); }
  void Poison(std::byte pattern) override;
  Inference Run(std::uint64_t deadline_us) override;
  ModelMemory Memory() const override;

 private:
  model::Model model_;
  const pilotlight_model_descriptor_t* descriptor_ = nullptr;
  Status status_ = Status::kBadArgument;
  const char* status_text_ = "not opened";
};

}  // namespace pilotlight::check
