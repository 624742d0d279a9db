// SPDX-License-Identifier: Apache-2.0
//
// Where sound comes from. Two kinds are meant: a microphone, whose interrupt or DMA
// fills the ring at its own pace, and a stream over the console, which the host
// fills at the device's pace. Only the second exists (console_stream.h): no board
// of this repository has a microphone.
//
// What a microphone port has to do: Start() sets up 16-bit mono at kSampleRateHz and
// its interrupt; the interrupt gives each block to ring.Write(), which counts what it
// has no room for; Wait() is a WFI with interrupts checked as in platform/console.
#pragma once

#include <cstdint>

#include "spotting/sample_ring.h"

namespace pilotlight::keyword_spotting {

class AudioPort {
 public:
  // From here on samples arrive in `ring`, which outlives the port. Once.
  virtual void Start(SampleRing& ring) = 0;

  // Sleeps until samples may have arrived, or until `deadline_us` (platform/clock.h).
  virtual void Wait(std::uint64_t deadline_us) = 0;

 protected:
  ~AudioPort() = default;
};

}  // namespace pilotlight::keyword_spotting
