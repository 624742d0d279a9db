// SPDX-License-Identifier: Apache-2.0
//
// How a Model opens: it loads the program and compares it with the descriptor.
#include <cstring>

#include <executorch/runtime/platform/runtime.h>

#include "pilotlight/base/sha256.h"
#include "pilotlight/base/text.h"
#include "pilotlight/model/model.h"

namespace pilotlight::model {

using executorch::runtime::MethodMeta;
using executorch::runtime::Program;
using executorch::runtime::TensorInfo;

namespace {

constexpr const char* kMethod = "forward";
constexpr std::size_t kModelAlignBytes = 16;

Span<std::byte> BytesOf(const executorch::aten::Tensor& tensor) {
  return {static_cast<std::byte*>(tensor.mutable_data_ptr()), tensor.nbytes()};
}

pilotlight_arena_t ArenaOf(Span<std::byte> bytes) {
  return {reinterpret_cast<std::uint8_t*>(bytes.data()), static_cast<std::uint32_t>(bytes.size())};
}

bool Overlap(const pilotlight_arena_t& a, const pilotlight_arena_t& b) {
  return a.size_bytes != 0 && b.size_bytes != 0 && a.data < b.data + b.size_bytes &&
         b.data < a.data + a.size_bytes;
}

}  // namespace

Status Model::Open(const pilotlight_model_descriptor_t& descriptor, ethos_u::EthosUBackend* npu) {
  if (open_) return Fail(Status::kBusy, "the model is open already");
  failure_text_[0] = '\0';
  descriptor_ = &descriptor;
  npu_ = npu;
  if (npu_ != nullptr) npu_->ClearFailure();

  const Status status = Load();
  open_ = status == Status::kOk;
  if (open_) {
    method_allocator_->set_sealed(true);
    temp_allocator_->set_sealed(true);
  } else {
    Destroy();
  }
  return status;
}

void Model::Close() {
  if (!open_) return;
  open_ = false;
  Destroy();
}

// Clears everything that could pass for data of the next program, which may be smaller.
void Model::Destroy() {
  method_.reset();
  program_.reset();
  for (Span<std::byte>& input : inputs_) input = {};
  for (Span<std::byte>& output : outputs_) output = {};
  for (bool& given : given_) given = false;
  commit_pending_ = false;
  for (auto& buffer : planned_spans_) buffer = {};
  last_inference_ = {};
}

Status Model::Load() {
  if (reinterpret_cast<std::uintptr_t>(descriptor_->pte) % kModelAlignBytes != 0) {
    return Fail(Status::kMisaligned, "the embedded .pte is not 16-byte aligned");
  }
  PILOTLIGHT_TRY(CheckOrigin());
  executorch::runtime::runtime_init();
  loader_.emplace(descriptor_->pte, descriptor_->pte_size_bytes);
  auto program = Program::load(&*loader_, Program::Verification::InternalConsistency);
  if (!program.ok()) return FailRuntime("loading the program", program.error());
  program_.emplace(std::move(program.get()));

  auto meta = program_->method_meta(kMethod);
  if (!meta.ok()) return FailRuntime("looking for method forward", meta.error());
  PILOTLIGHT_TRY(CheckBackends(meta.get()));
  PILOTLIGHT_TRY(PlacePlannedBuffers(meta.get()));

  method_allocator_.emplace(descriptor_->method_pool.size_bytes, descriptor_->method_pool.data);
  temp_allocator_.emplace(descriptor_->temp_pool.size_bytes, descriptor_->temp_pool.data);
  memory_manager_.emplace(&*method_allocator_, &*planned_memory_, &*temp_allocator_);
  auto method = program_->load_method(kMethod, &*memory_manager_);
  if (!method.ok()) return FailRuntime("loading method forward", method.error());
  method_.emplace(std::move(method.get()));

  PILOTLIGHT_TRY(BindInputs(meta.get()));
  PILOTLIGHT_TRY(BindOutputs(meta.get()));
  PILOTLIGHT_TRY(CheckState());
  return CheckTies();
}

// The image was checked when it was linked. The flash may have changed since then.
Status Model::CheckOrigin() {
  const char* const exporter = descriptor_->executorch;
  if (exporter != nullptr && exporter[0] != '\0' &&
      std::strcmp(exporter, PILOTLIGHT_EXECUTORCH_VERSION) != 0) {
    Text(failure_text_) << "exported by ExecuTorch " << exporter << ", but this image has runtime "
                        << PILOTLIGHT_EXECUTORCH_VERSION;
    return Status::kBadModel;
  }
  constexpr std::uint8_t kNotKnown[sizeof(descriptor_->pte_sha256)] = {};
  if (std::memcmp(descriptor_->pte_sha256, kNotKnown, sizeof(kNotKnown)) == 0) return Status::kOk;
  const Sha256Digest digest =
      Sha256({reinterpret_cast<const std::byte*>(descriptor_->pte), descriptor_->pte_size_bytes});
  if (std::memcmp(digest.bytes, descriptor_->pte_sha256, sizeof(digest.bytes)) == 0) {
    return Status::kOk;
  }
  return Fail(
      Status::kBadModel,
      "the embedded .pte is not the one exported: its SHA-256 differs; flash the image again");
}

Status Model::CheckBackends(const MethodMeta& meta) {
  for (std::size_t i = 0; i < meta.num_backends(); ++i) {
    auto name = meta.get_backend_name(i);
    if (!name.ok()) return FailRuntime("reading the backends' names", name.error());
    if (executorch::runtime::get_backend_class(name.get()) == nullptr) {
      Text(failure_text_) << "the model needs backend " << name.get()
                          << ", which this image does not register";
      return Status::kUnsupported;
    }
  }
  return Status::kOk;
}

Status Model::PlacePlannedBuffers(const MethodMeta& meta) {
  const std::size_t count = meta.num_memory_planned_buffers();
  planned_use_bytes_ = 0;
  if (count > kMaxPlannedBuffers) {
    return FailAt(Status::kUnsupported, "too many planned buffers", count);
  }
  if (count > descriptor_->planned_buffer_count) {
    return FailAt(Status::kBadModel, "the descriptor lacks planned buffer", count);
  }
  for (std::size_t i = 0; i < count; ++i) {
    const pilotlight_arena_t& arena = descriptor_->planned_buffers[i];
    const auto needed = meta.memory_planned_buffer_size(i);
    if (!needed.ok()) return FailRuntime("reading the memory plan", needed.error());
    if (needed.get() > arena.size_bytes) {
      Text(failure_text_) << "planned buffer " << std::uint64_t{i + 1} << " is too small";
      return Status::kNoMemory;
    }
    planned_spans_[i] = {arena.data, arena.size_bytes};
    planned_use_bytes_ += static_cast<std::size_t>(needed.get());
  }
  planned_memory_.emplace(
      executorch::runtime::Span<executorch::runtime::Span<std::uint8_t>>(planned_spans_, count));
  return Status::kOk;
}

Status Model::BindInputs(const MethodMeta& meta) {
  const std::size_t count = meta.num_inputs();
  if (count != descriptor_->input_count || count > kMaxInputs) {
    return FailAt(Status::kBadModel, "number of inputs differs from the descriptor's", count);
  }
  for (std::size_t i = 0; i < count; ++i) {
    const auto info = meta.input_tensor_meta(i);
    if (!info.ok()) return FailTensor(Status::kUnsupported, "input", i, "is not a tensor");
    PILOTLIGHT_TRY(CheckTensor(info.get(), descriptor_->inputs[i], "input", i));
    // mutable_input() is deprecated, but its replacement set_input() copies from a second tensor.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    inputs_[i] = BytesOf(method_->mutable_input(i).toTensor());
#pragma GCC diagnostic pop
    if (!IsPlanned(inputs_[i])) {
      return FailTensor(Status::kUnsupported, "input", i, "has no place in the memory plan");
    }
  }
  return Status::kOk;
}

Status Model::BindOutputs(const MethodMeta& meta) {
  const std::size_t count = meta.num_outputs();
  if (count != descriptor_->output_count || count > kMaxOutputs) {
    return FailAt(Status::kBadModel, "number of outputs differs from the descriptor's", count);
  }
  for (std::size_t i = 0; i < count; ++i) {
    const auto info = meta.output_tensor_meta(i);
    if (!info.ok()) return FailTensor(Status::kUnsupported, "output", i, "is not a tensor");
    PILOTLIGHT_TRY(CheckTensor(info.get(), descriptor_->outputs[i], "output", i));
    outputs_[i] = BytesOf(method_->get_output(i).toTensor());
    // This also refuses a constant in the .pte, which could not be poisoned.
    if (!IsPlanned(outputs_[i])) {
      return FailTensor(Status::kUnsupported, "output", i, "has no place in the memory plan");
    }
  }
  return Status::kOk;
}

Status Model::CheckTensor(const TensorInfo& info, const pilotlight_tensor_info_t& described,
                          const char* side, std::size_t index) {
  bool same = static_cast<std::uint8_t>(info.scalar_type()) == described.dtype &&
              info.nbytes() == described.size_bytes && info.sizes().size() == described.rank &&
              info.dim_order().size() == described.rank;
  for (std::size_t d = 0; same && d < described.rank; ++d) {
    same = info.sizes()[d] == described.dims[d] && info.dim_order()[d] == described.dim_order[d];
  }
  if (same) return Status::kOk;
  return FailTensor(Status::kBadModel, side, index,
                    "is not the one described: generate the code again");
}

bool Model::IsPlanned(Span<std::byte> bytes) const {
  if (bytes.data() == nullptr) return false;
  const auto* first = reinterpret_cast<const std::uint8_t*>(bytes.data());
  for (const auto& buffer : planned_spans_) {
    const auto index = static_cast<std::uint32_t>(&buffer - planned_spans_);
    if (!IsState(index) && first >= buffer.begin() && first < buffer.end()) {
      return bytes.size() <= static_cast<std::size_t>(buffer.end() - first);
    }
  }
  return false;
}

// The method was loaded just now, so its state must equal what ResetState() would write.
Status Model::CheckState() {
  const bool described = descriptor_->state_buffer != 0 &&
                         descriptor_->state_buffer <= descriptor_->planned_buffer_count;
  bool same = described || (descriptor_->state_buffer | descriptor_->initial_value_count) == 0;
  for (std::uint32_t i = 0; same && i < descriptor_->initial_value_count; ++i) {
    const pilotlight_initial_value_t& value = descriptor_->initial_values[i];
    const pilotlight_arena_t& state = descriptor_->planned_buffers[descriptor_->state_buffer - 1];
    same = value.offset <= state.size_bytes &&
           value.size_bytes <= state.size_bytes - value.offset &&
           value.pte_offset <= descriptor_->pte_size_bytes &&
           value.size_bytes <= descriptor_->pte_size_bytes - value.pte_offset &&
           std::memcmp(state.data + value.offset, descriptor_->pte + value.pte_offset,
                       value.size_bytes) == 0;
  }
  if (same) return Status::kOk;
  return Fail(Status::kBadModel,
              "the program's state is not the one described: generate the code again");
}

// Everything that CommitTies() and Run() rely on: sizes that fit, and memory of the tied inputs
// that no inference overwrites.
Status Model::CheckTies() {
  const std::uint32_t buffer = descriptor_->tied_buffer;
  bool good = (buffer != 0) == (descriptor_->tie_count != 0) &&
              buffer <= descriptor_->planned_buffer_count &&
              (buffer == 0 || buffer != descriptor_->state_buffer);
  for (std::uint32_t i = 0; good && i < descriptor_->tie_count; ++i) {
    const pilotlight_tie_t& tie = descriptor_->ties[i];
    const std::uint64_t row_bytes = std::uint64_t{tie.block_bytes} * tie.block_count;
    good = tie.output < descriptor_->output_count && tie.input < descriptor_->input_count &&
           descriptor_->inputs[tie.input].dtype == descriptor_->outputs[tie.output].dtype &&
           row_bytes == outputs_[tie.output].size() &&
           row_bytes * tie.slots == inputs_[tie.input].size();
  }
  if (good && buffer != 0) {
    const pilotlight_arena_t& kept = descriptor_->planned_buffers[buffer - 1];
    good = !Overlap(kept, descriptor_->temp_pool);
    for (std::uint32_t i = 0; good && i < descriptor_->planned_buffer_count; ++i) {
      good = i + 1 == buffer || !Overlap(kept, descriptor_->planned_buffers[i]);
    }
    for (std::uint32_t i = 0; good && i < descriptor_->input_count; ++i) {
      good = Overlap(kept, ArenaOf(inputs_[i])) == IsTied(i);
    }
    for (std::uint32_t i = 0; good && i < descriptor_->output_count; ++i) {
      good = !Overlap(kept, ArenaOf(outputs_[i]));
    }
  }
  if (good) return Status::kOk;
  return Fail(Status::kBadModel,
              "the program's ties are not the ones described: generate the code again");
}

}  // namespace pilotlight::model
