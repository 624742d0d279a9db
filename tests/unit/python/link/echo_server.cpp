// SPDX-License-Identifier: Apache-2.0
//
// The firmware's own server as a process, for test_firmware_server.py. The server exchanges frames
// over the descriptor in its argument. Its only model returns its input reversed.
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <iterator>

#include "pilotlight/base/check.h"
#include "server.h"

void pilotlight::CheckFailed(const char*, int, const char*) { std::abort(); }

namespace {

using namespace pilotlight;  // NOLINT: a test program of one file

constexpr std::uint32_t kBytes = 5000;

class ReversingModel final : public check::ModelPort {
 public:
  const pilotlight_model_descriptor_t& descriptor() const override { return descriptor_; }
  Status status() const override { return Status::kOk; }
  const char* status_text() const override { return ""; }
  Span<std::byte> Input(std::uint32_t) override { return input_; }
  Span<const std::byte> Output(std::uint32_t) override { return output_; }
  void Poison(std::byte pattern) override {
    std::fill(std::begin(input_), std::end(input_), pattern);
    std::fill(std::begin(output_), std::end(output_), pattern);
  }
  void ResetState() override {}
  Status Run(std::uint32_t) override {
    std::reverse_copy(std::begin(input_), std::end(input_), std::begin(output_));
    return failing() ? Status::kDeviceFault : Status::kOk;
  }
  const char* failure() const override { return failing() ? "bus fault on AXI0" : ""; }
  pilotlight_statistics_t Statistics() const override {
    pilotlight_statistics_t statistics{};
    statistics.npu_runs = 1;
    statistics.npu_cycles = 0x1'2345'6789;
    statistics.npu_status = 0xFFFF0020;
    statistics.npu_events[0] = {35, 17};
    statistics.method_pool = {1, 2};
    statistics.temp_pool = {3, 4};
    statistics.planned = {5, 5};
    return statistics;
  }

 private:
  bool failing() const { return input_[0] == std::byte{0xEE}; }

  std::byte input_[kBytes] = {};
  std::byte output_[kBytes] = {};
  const pilotlight_tensor_info_t in_ = {"x", PILOTLIGHT_INT8, 2, {50, 100}, {0, 1}, 0.5f,
                                        -3,  kBytes};
  const pilotlight_tensor_info_t out_ = {"y", PILOTLIGHT_UINT8, 1, {5000}, {0}, 0.25f, 7, kBytes};
  const pilotlight_tie_t tie_ = {1, 2, -1, 0x10203, 0x40506, 0x70809};
  const char pte_[8] = "program";
  const pilotlight_model_descriptor_t descriptor_ = [this] {
    pilotlight_model_descriptor_t about{};
    about.name = "reverse";
    about.pte = reinterpret_cast<const std::uint8_t*>(pte_);
    about.pte_size_bytes = 7;
    about.npu_config = "ethos-u55-128";
    about.inputs = &in_;
    about.input_count = 1;
    about.outputs = &out_;
    about.output_count = 1;
    about.ties = &tie_;
    about.tie_count = 1;
    return about;
  }();
};

struct HostDevice final : check::Device {
  std::uint64_t NowUs() override { return now += 100; }
  std::uint64_t CpuCycles() override { return NowUs() * 25; }
  pilotlight_pool_use_t Stack() override { return {100, 200}; }
  std::uint32_t ConsoleOverruns() override { return 0; }
  std::uint64_t now = 0;
};

struct DescriptorSink final : protocol::ByteSink {
  void Write(Span<const std::byte> bytes) override {
    if (write(descriptor, bytes.data(), bytes.size()) < 0) std::exit(2);
  }
  int descriptor = 0;
};

}  // namespace

int main(int, char** argv) {
  signal(SIGPIPE, SIG_IGN);  // The test may hang up while an answer is sent.
  ReversingModel model;
  check::ModelPort* models[] = {&model};
  HostDevice device;
  DescriptorSink sink;
  sink.descriptor = std::atoi(argv[1]);
  // Larger than one answer can hold, so the host must read it in several pieces.
  std::byte dump[3000];
  for (std::size_t i = 0; i < sizeof dump; ++i) dump[i] = static_cast<std::byte>(i % 251);
  check::DeviceFacts facts{
      "0123456789abcdef", "here", "ethos-u55-128", Status::kOk, "", 0xB001, 1'000, dump};
  check::Server server(facts, models, device, sink);
  server.session().Boot();
  server.session().Log(1, "hello", 5);
  std::byte bytes[64];
  while (!server.session().reset_requested()) {
    const auto count = read(sink.descriptor, bytes, sizeof bytes);
    if (count <= 0) return 2;
    server.session().Receive({bytes, static_cast<std::size_t>(count)});
  }
  return 0;
}
