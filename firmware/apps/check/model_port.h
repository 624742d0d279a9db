// SPDX-License-Identifier: Apache-2.0
//
// The server's interfaces to the image around it. The image implements them with model/ and
// platform/ (linked_model.h, main.cpp); tests implement fakes. All calls come from thread
// context.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pilotlight/base/span.h"
#include "pilotlight/base/status.h"
#include "pilotlight/model/descriptor.h"
#include "pilotlight/pilotlight.h"

namespace pilotlight::check {

class ModelPort {
 public:
  virtual const pilotlight_model_descriptor_t& descriptor() const = 0;

  // kOk if the model is loaded. Otherwise the reason, as a status and as text.
  virtual Status status() const = 0;
  virtual const char* status_text() const = 0;

  // The tensor's memory, with the size in the descriptor. Precondition: status() is kOk.
  virtual Span<std::byte> Input(std::uint32_t index) = 0;
  virtual Span<const std::byte> Output(std::uint32_t index) = 0;

  // Fills planned buffers and scratch, but not the state, with `pattern`, so that no data of an
  // earlier inference can pass for a result.
  virtual void Poison(std::byte pattern) = 0;

  // Resets the state to its values after the load.
  virtual void ResetState() = 0;

  // Runs one inference. `timeout_us` limits the time on the NPU. failure() is the reason if the
  // last run failed, else "". The text is valid until the next run.
  virtual Status Run(std::uint32_t timeout_us) = 0;
  virtual const char* failure() const = 0;
  virtual pilotlight_statistics_t Statistics() const = 0;

 protected:
  ~ModelPort() = default;
};

class Device {
 public:
  virtual std::uint64_t NowUs() = 0;
  virtual std::uint64_t CpuCycles() = 0;
  virtual pilotlight_pool_use_t Stack() = 0;
  virtual std::uint32_t ConsoleOverruns() = 0;

 protected:
  ~Device() = default;
};

}  // namespace pilotlight::check
