// SPDX-License-Identifier: Apache-2.0
//
// The check app: serves `west check` over the console, with all models of the image. If a step
// of the start fails, the app still answers IDENTIFY and reports the failure.
#include <cstring>

#include "linked_model.h"
#include "pilotlight/build_id.h"
#include "pilotlight/console_session/console_session.h"
#include "pilotlight/models.h"
#include "pilotlight/pilotlight.h"
#include "pilotlight/platform/clock.h"
#include "pilotlight/platform/console.h"
#include "pilotlight/platform/system.h"
#include "server.h"

namespace pilotlight::check {
namespace {

constexpr std::size_t kModels = PILOTLIGHT_MODEL_COUNT;  // cmake/model.cmake
constexpr std::uint64_t kIdleWakeUs = 1'000'000;

struct BoardDevice final : Device {
  std::uint64_t NowUs() override { return platform::NowUs(); }
  std::uint64_t CpuCycles() override { return platform::CpuCycles(); }
  pilotlight_pool_use_t Stack() override {
    return {static_cast<std::uint32_t>(platform::StackHighWaterBytes()),
            static_cast<std::uint32_t>(platform::StackSizeBytes())};
  }
  std::uint32_t ConsoleOverruns() override { return platform::ConsoleOverruns(); }
};

// All objects of the app. These objects are in static storage because models contain pointers to
// themselves, and because the log sink is a plain function that must find the server.
struct App {
  LinkedModel models[kModels];
  ModelPort* ports[kModels] = {};
  DeviceFacts facts;
  BoardDevice device;
  console_session::ConsoleSink sink;
  Server server{facts, {ports, kModels}, device, sink};
};
App app;

void LogToServer(platform::LogLevel level, const char* text, std::size_t length) {
  app.server.session().Log(static_cast<std::uint8_t>(level), text, length);
}

void Log(platform::LogLevel level, const char* text) {
  platform::Log(level, text, std::strlen(text));
}

void OpenNpu() {
  DeviceFacts& facts = app.facts;
  facts.npu_status = static_cast<Status>(pilotlight_init(nullptr));
  facts.npu_config = pilotlight_npu();
  facts.npu_text = pilotlight_init_failure();
  if (facts.npu_status != Status::kOk) Log(platform::LogLevel::kError, facts.npu_text);
}

void OpenModels() {
  for (std::size_t i = 0; i < kModels; ++i) {
    LinkedModel& model = app.models[i];
    app.ports[i] = &model;
    model.Open(*pilotlight_models[i]);
    if (model.status() != Status::kOk) Log(platform::LogLevel::kError, model.status_text());
  }
}

[[noreturn]] void Serve() {
  for (;;) console_session::Serve(app.server.session(), platform::NowUs() + kIdleWakeUs);
}

}  // namespace
}  // namespace pilotlight::check

int main() {
  using namespace pilotlight::check;  // NOLINT: the app is this namespace
  pilotlight::console_session::GatherFacts(pilotlight_build_id, app.facts);
  pilotlight::platform::SetLogSink(LogToServer);
  app.server.session().Boot();
  OpenNpu();
  OpenModels();
  Serve();
}
