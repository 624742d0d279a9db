// SPDX-License-Identifier: Apache-2.0
//
// A source of sound. The source may be a microphone, whose interrupt or DMA fills the ring at its
// own pace, or a stream over the console, which the host sends at the device's pace. Only the
// stream exists (console_stream.h), because no board of this repository has a microphone.
//
// A microphone port must do this: Start() sets up 16-bit mono at kSampleRateHz and the
// interrupt. The interrupt passes each block to ring.Write(), which counts samples that
// do not fit. Wait() disables interrupts, checks the ring, and sleeps with WFI, as
// ConsoleRead() in platform/corstone300/console.cpp does.
#pragma once

#include <cstdint>

#include "spotting/sample_ring.h"

namespace pilotlight::keyword_spotting {

class AudioPort {
 public:
  // Starts writing samples to `ring`, which must outlive the port. Call once.
  virtual void Start(SampleRing& ring) = 0;

  // Sleeps until samples may have arrived, or until `deadline_us` (a platform/clock.h NowUs()
  // value).
  virtual void Wait(std::uint64_t deadline_us) = 0;

 protected:
  ~AudioPort() = default;
};

}  // namespace pilotlight::keyword_spotting
