// SPDX-License-Identifier: Apache-2.0
#include "pilotlight/pilotlight.h"

#include <cstring>
#include <new>

#include "pilotlight/base/status.h"
#include "pilotlight/base/text.h"
#include "pilotlight/ethos_u/backend.h"
#include "pilotlight/ethos_u/npu.h"
#include "pilotlight/model/model.h"
#include "pilotlight/models.h"
#include "pilotlight/platform/clock.h"
#include "pilotlight/platform/hooks.h"
#include "pilotlight/platform/npu_port.h"
#include "pilotlight/platform/port.h"

namespace {

using pilotlight::Span;
using pilotlight::Status;
using pilotlight::Text;
using pilotlight::model::Model;
namespace ethos_u = pilotlight::ethos_u;
namespace platform = pilotlight::platform;

static_assert(static_cast<int>(Status::kOk) == PILOTLIGHT_OK);
static_assert(static_cast<int>(Status::kTimeout) == PILOTLIGHT_TIMEOUT);
static_assert(static_cast<int>(Status::kBusy) == PILOTLIGHT_BUSY);
static_assert(static_cast<int>(Status::kBadModel) == PILOTLIGHT_BAD_MODEL);
static_assert(static_cast<int>(Status::kUnsupported) == PILOTLIGHT_UNSUPPORTED);
static_assert(static_cast<int>(Status::kNoMemory) == PILOTLIGHT_NO_MEMORY);
static_assert(static_cast<int>(Status::kMisaligned) == PILOTLIGHT_MISALIGNED);
static_assert(static_cast<int>(Status::kDeviceFault) == PILOTLIGHT_DEVICE_FAULT);
static_assert(static_cast<int>(Status::kBadArgument) == PILOTLIGHT_BAD_ARGUMENT);
static_assert(static_cast<int>(Status::kWrongNpu) == PILOTLIGHT_WRONG_NPU);
static_assert(PILOTLIGHT_NPU_EVENTS == ethos_u::reg::kPmEventCounters);

// Selects the PMU events that the driver counts; see NpuOptions.
constexpr ethos_u::NpuOptions kNpuOptions;

// The state of the image's only NPU. It is zero-initialised and needs no constructor, because the
// start-up code of an app may not call constructors.
struct Image {
  bool initialised;
  ethos_u::EthosUBackend* backend;
  Status npu_status;
  char npu_name[24];
  char failure[192];
};
Image image;
alignas(ethos_u::Npu) std::byte npu_storage[sizeof(ethos_u::Npu)];

// The content of a pilotlight_model_t, from the first pilotlight_open() on.
struct OpenModel {
  Model model;
  // Why pilotlight_open() failed before it called Model::Open(); else null.
  const char* failure = nullptr;
};

// `made` is kMade once an OpenModel was constructed in `bytes`.
struct Storage {
  std::uint32_t made;
  alignas(OpenModel) std::byte bytes[sizeof(OpenModel)];
};
static_assert(sizeof(Storage) <= sizeof(pilotlight_model_t), "PILOTLIGHT_MODEL_WORDS is too small");
static_assert(alignof(Storage) <= alignof(pilotlight_model_t));

constexpr std::uint32_t kMade = 0x4C444F4D;  // "MODL"

OpenModel* Find(pilotlight_model_t* model) {
  if (model == nullptr) return nullptr;
  auto* storage = reinterpret_cast<Storage*>(model);
  if (storage->made != kMade) return nullptr;
  return std::launder(reinterpret_cast<OpenModel*>(storage->bytes));
}

const OpenModel* Find(const pilotlight_model_t* model) {
  return Find(const_cast<pilotlight_model_t*>(model));
}

OpenModel& FindOrMake(pilotlight_model_t* model) {
  if (OpenModel* const found = Find(model); found != nullptr) return *found;
  auto* storage = reinterpret_cast<Storage*>(model);
  storage->made = kMade;
  return *new (storage->bytes) OpenModel;
}

pilotlight_status_t ToC(Status status) { return static_cast<pilotlight_status_t>(status); }

Status OpenNpu() {
  auto* npu = new (npu_storage) ethos_u::Npu(platform::BoardNpuPort(), kNpuOptions);
  if (const Status status = npu->Open(); status != Status::kOk) {
    ethos_u::Describe(npu->failure(), image.failure);
    return status;
  }
  Text(image.npu_name) << npu->identity().family() << "-" << npu->identity().macs();
  auto backend = ethos_u::RegisterBackend(*npu);
  if (!backend.ok()) {
    Text(image.failure) << "the runtime refused to register the delegate";
    return backend.status();
  }
  image.backend = backend.value();
  return Status::kOk;
}

pilotlight_tensor_t Tensor(const pilotlight_tensor_info_t* info, const void* data,
                           std::size_t size_bytes) {
  // The C API has one struct for inputs and outputs, so `data` cannot be const for outputs.
  return {info, const_cast<void*>(data), static_cast<std::uint32_t>(size_bytes)};
}

pilotlight_pool_use_t ToC(const pilotlight::model::PoolUse& use) {
  return {static_cast<std::uint32_t>(use.used_bytes), static_cast<std::uint32_t>(use.size_bytes)};
}

}  // namespace

extern "C" {

const char* pilotlight_status_text(pilotlight_status_t status) {
  static constexpr const char* kTexts[] = {"ok",
                                           "deadline passed",
                                           "in use",
                                           "damaged or foreign model",
                                           "operator or backend not in this image",
                                           "pool too small",
                                           "misaligned memory",
                                           "NPU fault",
                                           "bad argument or state",
                                           "compiled for another NPU"};
  const auto index = static_cast<std::size_t>(status);
  return index < sizeof(kTexts) / sizeof(kTexts[0]) ? kTexts[index] : "unknown status";
}

pilotlight_status_t pilotlight_init(const pilotlight_options_t* options) {
  if (image.initialised) return PILOTLIGHT_BUSY;
  image.failure[0] = '\0';
  if (options != nullptr &&
      (reinterpret_cast<std::uintptr_t>(options->fast_scratch) | options->fast_scratch_bytes) %
              ethos_u::kCacheLineBytes !=
          0) {
    Text(image.failure) << "address and size of fast_scratch must be multiples of "
                        << std::uint64_t{ethos_u::kCacheLineBytes} << " bytes";
    return PILOTLIGHT_BAD_ARGUMENT;
  }
  image.initialised = true;
  platform::SetHooks(options != nullptr ? options->hooks : pilotlight_hooks_t{});
  platform::StartPort();

  const platform::Locked locked;
  pilotlight_register_operators();
  image.npu_status = OpenNpu();
  if (image.backend != nullptr && options != nullptr) {
    image.backend->SetFastScratch(
        {reinterpret_cast<std::byte*>(options->fast_scratch), options->fast_scratch_bytes});
  }
  return ToC(image.npu_status);
}

const char* pilotlight_init_failure(void) { return image.failure; }

const char* pilotlight_npu(void) { return image.npu_name; }

pilotlight_status_t pilotlight_open(pilotlight_model_t* model,
                                    const pilotlight_model_descriptor_t* descriptor) {
  if (model == nullptr || descriptor == nullptr) return PILOTLIGHT_BAD_ARGUMENT;
  OpenModel& opened = FindOrMake(model);
  opened.failure = nullptr;
  if (!image.initialised) {
    opened.failure = "pilotlight_init() was not called";
    return PILOTLIGHT_BAD_ARGUMENT;
  }
  if (descriptor->npu_config[0] != '\0' && image.npu_status != Status::kOk) {
    opened.failure = image.failure;
    return ToC(image.npu_status);
  }
  const platform::Locked locked;
  return ToC(opened.model.Open(*descriptor, image.backend));
}

void pilotlight_close(pilotlight_model_t* model) {
  OpenModel* const opened = Find(model);
  if (opened == nullptr) return;
  const platform::Locked locked;
  opened->model.Close();
}

uint32_t pilotlight_input_count(const pilotlight_model_t* model) {
  const OpenModel* const opened = Find(model);
  return opened != nullptr ? static_cast<std::uint32_t>(opened->model.inputs().size()) : 0;
}

uint32_t pilotlight_output_count(const pilotlight_model_t* model) {
  const OpenModel* const opened = Find(model);
  return opened != nullptr ? static_cast<std::uint32_t>(opened->model.outputs().size()) : 0;
}

pilotlight_tensor_t pilotlight_input(pilotlight_model_t* model, uint32_t index) {
  OpenModel* const opened = Find(model);
  if (opened == nullptr || index >= opened->model.inputs().size()) return {};
  const Span<std::byte> bytes = opened->model.InputBuffer(index);
  return Tensor(&opened->model.inputs()[index], bytes.data(), bytes.size());
}

pilotlight_tensor_t pilotlight_output(const pilotlight_model_t* model, uint32_t index) {
  const OpenModel* const opened = Find(model);
  if (opened == nullptr || index >= opened->model.outputs().size()) return {};
  const Span<const std::byte> bytes = opened->model.OutputBuffer(index);
  return Tensor(&opened->model.outputs()[index], bytes.data(), bytes.size());
}

pilotlight_status_t pilotlight_run(pilotlight_model_t* model, uint32_t timeout_us) {
  OpenModel* const opened = Find(model);
  if (opened == nullptr) return PILOTLIGHT_BAD_ARGUMENT;
  const platform::Locked locked;
  return ToC(opened->model.Run(platform::NowUs() + timeout_us));
}

pilotlight_status_t pilotlight_reset_state(pilotlight_model_t* model) {
  OpenModel* const opened = Find(model);
  if (opened == nullptr) return PILOTLIGHT_BAD_ARGUMENT;
  return ToC(opened->model.ResetState());
}

pilotlight_status_t pilotlight_reset_ties(pilotlight_model_t* model) {
  OpenModel* const opened = Find(model);
  if (opened == nullptr) return PILOTLIGHT_BAD_ARGUMENT;
  return ToC(opened->model.ResetTies());
}

pilotlight_status_t pilotlight_commit_ties(pilotlight_model_t* model, uint32_t slot) {
  OpenModel* const opened = Find(model);
  if (opened == nullptr) return PILOTLIGHT_BAD_ARGUMENT;
  return ToC(opened->model.CommitTies(slot));
}

const char* pilotlight_failure(const pilotlight_model_t* model) {
  const OpenModel* const opened = Find(model);
  if (opened == nullptr) return "the model was never opened";
  return opened->failure != nullptr ? opened->failure : opened->model.failure_text();
}

void pilotlight_poison(pilotlight_model_t* model, uint8_t pattern) {
  if (OpenModel* const opened = Find(model); opened != nullptr) {
    opened->model.Poison(static_cast<std::byte>(pattern));
  }
}

pilotlight_statistics_t pilotlight_stats(const pilotlight_model_t* model) {
  pilotlight_statistics_t statistics{};
  const OpenModel* const opened = Find(model);
  if (opened == nullptr || !opened->model.is_open()) return statistics;
  const pilotlight::model::InferenceStats& last = opened->model.last_inference();
  statistics.duration_us = last.duration_us;
  statistics.cpu_cycles = last.cpu_cycles;
  statistics.npu_cycles = last.npu.npu_cycles;
  statistics.npu_us = last.npu.npu_us;
  statistics.npu_runs = last.npu.runs;
  statistics.npu_status = last.npu_status;
  for (std::size_t i = 0; i < PILOTLIGHT_NPU_EVENTS; ++i) {
    statistics.npu_events[i] = {kNpuOptions.events[i],
                                static_cast<std::uint32_t>(last.npu.events[i])};
  }
  const pilotlight::model::MemoryStats memory = opened->model.memory();
  statistics.method_pool = ToC(memory.method_pool);
  statistics.temp_pool = ToC(memory.temp_pool);
  statistics.planned = ToC(memory.planned);
  return statistics;
}

}  // extern "C"
