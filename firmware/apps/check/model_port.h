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

namespace pilotlight::check {

inline constexpr std::size_t kMaxEvents = 8;

// One NPU event counter: PMU event number and count.
struct EventCount {
  std::uint32_t event;
  std::uint32_t count;
};

// What one inference did. `text` is static or lives in the port.
struct Inference {
  Status status = Status::kOk;
  const char* text = "";  // Why, when status is not kOk.
  std::uint32_t npu_status = 0;
  std::uint64_t npu_cycles = 0;
  EventCount events[kMaxEvents] = {};
  std::uint8_t event_count = 0;
};

struct PoolUse {
  std::uint32_t used_bytes;
  std::uint32_t size_bytes;
};

struct ModelMemory {
  PoolUse method_pool;
  PoolUse temp_pool;
  std::uint32_t planned_bytes;
};

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

  virtual Inference Run(std::uint64_t deadline_us) = 0;
  virtual ModelMemory Memory() const = 0;

 protected:
  ~ModelPort() = default;
};

class Device {
 public:
  virtual std::uint64_t NowUs() = 0;
  virtual std::uint64_t CpuCycles() = 0;
  virtual PoolUse Stack() = 0;
  virtual std::uint32_t ConsoleOverruns() = 0;

 protected:
  ~Device() = default;
};

}  // namespace pilotlight::check
