// SPDX-License-Identifier: Apache-2.0
//
// What the server needs from the image around it. The image implements these
// over model/ and platform/ (linked_model.h, main.cpp); tests implement them by
// hand. All calls come from thread context.
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

  // kOk once the model was loaded; otherwise why not, in words too.
  virtual Status status() const = 0;
  virtual const char* status_text() const = 0;

  // The tensor's memory; as many bytes as the descriptor says. Only when status() is kOk.
  virtual Span<std::byte> Input(std::uint32_t index) = 0;
  virtual Span<const std::byte> Output(std::uint32_t index) = 0;

  // Fills everything an inference reads or writes (planned buffers, scratch) but
  // state with `pattern`, so that nothing of an earlier inference can pass for a result.
  virtual void Poison(std::byte pattern) = 0;

  // What one inference leaves to the next is again as it was when the model was opened.
  virtual void ResetState() = 0;

  // Runs once; the NPU may take `timeout_us`. failure() says why the last run failed, "" after
  // success; the text is static or lives in the port.
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
