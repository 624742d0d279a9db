// SPDX-License-Identifier: Apache-2.0
#include "spotter.h"

#include <type_traits>

#include "model_kws.h"
#include "pilotlight/platform/clock.h"

namespace pilotlight::keyword_spotting {

using namespace description;  // NOLINT: the app is about them

// Description and model come from one folder. A build with another model fails here.
static_assert(PILOTLIGHT_KWS_INPUT_0_ELEMENTS == FeatureWindow::kElements);
static_assert(PILOTLIGHT_KWS_OUTPUT_0_ELEMENTS == kClasses);
static_assert(std::is_same_v<PILOTLIGHT_KWS_INPUT_0_TYPE, std::int8_t>);
static_assert(std::is_same_v<PILOTLIGHT_KWS_OUTPUT_0_TYPE, std::int8_t>);

namespace {

// Far more than an inference takes, because a simulated NPU shares its host with other processes.
constexpr std::uint32_t kRunTimeoutUs = 5'000'000;

}  // namespace

Spotter::Spotter(Results& results)
    : results_(results),
      window_(
          {static_cast<float>(PILOTLIGHT_KWS_INPUT_0_SCALE), PILOTLIGHT_KWS_INPUT_0_ZERO_POINT}),
      decision_(static_cast<float>(PILOTLIGHT_KWS_OUTPUT_0_SCALE)) {}

pilotlight_status_t Spotter::Open() { return pilotlight_open(&model_, &pilotlight_model_kws); }

void Spotter::Restart() {
  mfcc_.Restart();
  window_.Restart();
  decision_.Restart();
  statistics_ = {};
}

void Spotter::Push(Span<const std::int16_t> hop) {
  const std::uint64_t start_us = platform::NowUs();
  statistics_.samples += hop.size();
  float features[kCoefficients];
  const bool complete = mfcc_.Push(hop, features);
  if (complete) window_.Push(features);
  statistics_.features_us += platform::NowUs() - start_us;
  if (!complete) return;
  ++statistics_.feature_frames;
  results_.OnFeatures(window_.frames() - 1, features, window_.newest());
  if (window_.full() && (window_.frames() - kFrames) % kInferenceHopFrames == 0) Infer(start_us);
}

void Spotter::Infer(std::uint64_t since_us) {
  const pilotlight_tensor_t input = pilotlight_input(&model_, 0);
  if (input.data == nullptr) {
    ++statistics_.failed_inferences;
    return;
  }
  window_.CopyTo({static_cast<std::int8_t*>(input.data), input.size_bytes});
  if (pilotlight_run(&model_, kRunTimeoutUs) != PILOTLIGHT_OK) {
    ++statistics_.failed_inferences;
    return;
  }
  const pilotlight_statistics_t run = pilotlight_stats(&model_);
  ++statistics_.inferences;
  statistics_.network_us += run.duration_us - run.npu_us;
  statistics_.npu_us += run.npu_us;
  statistics_.npu_cycles += run.npu_cycles;

  const std::uint64_t decision_us = platform::NowUs();
  const Span<const std::int8_t> scores = {
      static_cast<const std::int8_t*>(pilotlight_output(&model_, 0).data), kClasses};
  const std::uint64_t end = statistics_.samples;
  const int keyword = decision_.Push(scores, end);
  const std::uint64_t decided_us = platform::NowUs();
  statistics_.decision_us += decided_us - decision_us;

  results_.OnInference(end, scores, decision_.averages());
  if (keyword == Decision::kNone) return;
  ++statistics_.keywords;
  results_.OnKeyword(end, keyword, decision_.averages()[keyword],
                     static_cast<std::uint32_t>(decided_us - since_us));
}

}  // namespace pilotlight::keyword_spotting
