// SPDX-License-Identifier: Apache-2.0
//
// The check app: answers `west check` over the console with every model that is
// linked into the image. Whatever fails on the way up, it still answers IDENTIFY
// and says what failed.
#include <cstring>

#include "linked_model.h"
#include "pilotlight/board_config.h"
#include "pilotlight/build_id.h"
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
constexpr std::uint64_t kDrainUs =
    10'000;  // The last frame is on the wire by then, at any baud rate in use.

struct BoardDevice final : Device {
  std::uint64_t NowUs() override { return platform::NowUs(); }
  std::uint64_t CpuCycles() override { return platform::CpuCycles(); }
  PoolUse Stack() override {
    return {static_cast<std::uint32_t>(platform::StackHighWaterBytes()),
            static_cast<std::uint32_t>(platform::StackSizeBytes())};
  }
  std::uint32_t ConsoleOverruns() override { return platform::ConsoleOverruns(); }
};

struct ConsoleSink final : protocol::ByteSink {
  void Write(Span<const std::byte> bytes) override { platform::ConsoleWrite(bytes); }
};

// Everything the app owns. Static storage: models refer to themselves, and the log sink is a
// plain function that has to find the server.
struct App {
  LinkedModel models[kModels];
  ModelPort* ports[kModels] = {};
  DeviceFacts facts;
  BoardDevice device;
  ConsoleSink sink;
  Server server{facts, {ports, kModels}, device, sink};
};
App app;

void LogToServer(platform::LogLevel level, const char* text, std::size_t length) {
  app.server.Log(static_cast<std::uint8_t>(level), text, length);
}

void Log(platform::LogLevel level, const char* text) {
  platform::Log(level, text, std::strlen(text));
}

void GatherFacts() {
  DeviceFacts& facts = app.facts;
  facts.build_id = pilotlight_build_id;
  facts.board = PILOTLIGHT_BOARD_NAME;
  facts.boot_id = platform::BootId();
  facts.cpu_clock_hz = PILOTLIGHT_BOARD_CPU_CLOCK_HZ;
  if (const platform::FaultDump* const dump = platform::TakeFaultDump()) {
    facts.fault_dump = {reinterpret_cast<const std::byte*>(dump), sizeof(*dump)};
  }
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
  for (;;) {
    std::byte arrived[256];
    const std::size_t count = platform::ConsoleRead(arrived, platform::NowUs() + kIdleWakeUs);
    app.server.Receive({arrived, count});
    if (app.server.reset_requested()) {
      const std::uint64_t drained_us = platform::NowUs() + kDrainUs;
      while (platform::NowUs() < drained_us) {
      }
      platform::Reset();
    }
  }
}

}  // namespace
}  // namespace pilotlight::check

int main() {
  using namespace pilotlight::check;  // NOLINT: the app is this namespace
  GatherFacts();
  pilotlight::platform::SetLogSink(LogToServer);
  app.server.Boot();
  OpenNpu();
  OpenModels();
  Serve();
}
