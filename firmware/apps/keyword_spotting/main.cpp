// SPDX-License-Identifier: Apache-2.0
//
// Keyword spotting: takes sound from an audio port and sends keywords to the console (SPEC.md).
#include <cstring>

#include "console_stream.h"
#include "pilotlight/build_id.h"
#include "pilotlight/pilotlight.h"
#include "pilotlight/platform/clock.h"
#include "pilotlight/platform/system.h"
#include "spotter.h"
#include "spotting/sample_ring.h"

namespace pilotlight::keyword_spotting {
namespace {

constexpr std::uint64_t kIdleWakeUs = 1'000'000;

struct App {
  protocol::DeviceFacts facts;
  ConsoleStream console{facts};
  SampleRing ring;
  Spotter spotter{console};
};
App app;

void LogToConsole(platform::LogLevel level, const char* text, std::size_t length) {
  app.console.session().Log(static_cast<std::uint8_t>(level), text, length);
}

void LogError(const char* text) {
  platform::Log(platform::LogLevel::kError, text, std::strlen(text));
}

void Open() {
  protocol::DeviceFacts& facts = app.facts;
  facts.npu_status = static_cast<Status>(pilotlight_init(nullptr));
  facts.npu_config = pilotlight_npu();
  facts.npu_text = pilotlight_init_failure();
  if (facts.npu_status != Status::kOk) LogError(facts.npu_text);
  if (app.spotter.Open() != PILOTLIGHT_OK) LogError(app.spotter.failure());
}

// The core sleeps in Wait() while there is no sound to compute.
[[noreturn]] void Listen(AudioPort& audio) {
  audio.Start(app.ring);
  for (;;) {
    audio.Wait(platform::NowUs() + kIdleWakeUs);
    if (app.console.TakeRestart()) app.spotter.Restart();
    std::int16_t hop[description::kHopSamples];
    while (app.ring.Read(hop)) {
      const std::uint32_t failed = app.spotter.statistics().failed_inferences;
      app.spotter.Push(hop);
      if (app.spotter.statistics().failed_inferences != failed) LogError(app.spotter.failure());
    }
    app.console.Computed(app.spotter.statistics());
  }
}

}  // namespace
}  // namespace pilotlight::keyword_spotting

int main() {
  using namespace pilotlight::keyword_spotting;  // NOLINT: the app is this namespace
  pilotlight::platform::SetLogSink(LogToConsole);
  pilotlight::console_session::GatherFacts(pilotlight_build_id, app.facts);
  app.console.session().Boot();
  Open();
  Listen(app.console);
}
