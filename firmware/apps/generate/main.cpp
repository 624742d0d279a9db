// SPDX-License-Identifier: Apache-2.0
//
// Text generation: takes a prompt from the console and sends the tokens that follow (SPEC.md).
#include <cstring>

#include "console_text.h"
#include "generator.h"
#include "pilotlight/build_id.h"
#include "pilotlight/pilotlight.h"
#include "pilotlight/platform/clock.h"
#include "pilotlight/platform/system.h"

namespace pilotlight::generate {
namespace {

constexpr std::uint64_t kIdleWakeUs = 1'000'000;

struct App {
  protocol::DeviceFacts facts;
  ConsoleText console{facts};
  Generator generator;
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
  const pilotlight_status_t status = app.generator.Open();
  if (status != PILOTLIGHT_OK) LogError(app.generator.failure());
  app.console.Start(app.generator, status);
}

}  // namespace
}  // namespace pilotlight::generate

int main() {
  using namespace pilotlight::generate;  // NOLINT: the app is this namespace
  pilotlight::platform::SetLogSink(LogToConsole);
  pilotlight::console_session::GatherFacts(pilotlight_build_id, app.facts);
  app.console.session().Boot();
  Open();
  for (;;) app.console.Serve(pilotlight::platform::NowUs() + kIdleWakeUs);
}
