// SPDX-License-Identifier: Apache-2.0
#include "pilotlight/model/model.h"

#include <algorithm>
#include <cstring>

#include "pilotlight/base/text.h"
#include "pilotlight/platform/clock.h"

namespace pilotlight::model {

using executorch::runtime::Error;

namespace {

// Maps ExecuTorch's Error to the Status that tells a Model's caller how to react.
Status ToStatus(Error error) {
  switch (error) {
    case Error::Ok:
      return Status::kOk;
    case Error::OperatorMissing:
    case Error::NotSupported:
    case Error::NotImplemented:
    case Error::NotFound:
    case Error::DelegateInvalidCompatibility:
      return Status::kUnsupported;
    case Error::MemoryAllocationFailed:
    case Error::OutOfResources:
    case Error::DelegateMemoryAllocationFailed:
      return Status::kNoMemory;
    default:
      return Status::kBadModel;
  }
}

// Fills `bytes` with the stored form of 0.
void FillWithZero(const pilotlight_tensor_info_t& tensor, Span<std::byte> bytes) {
  const std::int32_t zero = tensor.scale == 0.0F ? 0 : tensor.zero_point;
  if (tensor.dtype == PILOTLIGHT_INT16) {
    constexpr std::size_t kElementBytes = sizeof(std::int16_t);
    std::fill_n(reinterpret_cast<std::int16_t*>(bytes.data()), bytes.size() / kElementBytes,
                static_cast<std::int16_t>(zero));
  } else {
    // Of the wider types none is quantised, so each of their bytes is 0.
    std::memset(bytes.data(), zero, bytes.size());
  }
}

}  // namespace

bool Model::IsState(std::uint32_t planned_buffer) const {
  return planned_buffer + 1 == descriptor_->state_buffer;
}

Status Model::ResetState() {
  if (!open_) return Fail(Status::kBadArgument, "the model is not open");
  for (std::uint32_t i = 0; i < descriptor_->initial_value_count; ++i) {
    const pilotlight_initial_value_t& value = descriptor_->initial_values[i];
    std::memcpy(descriptor_->planned_buffers[descriptor_->state_buffer - 1].data + value.offset,
                descriptor_->pte + value.pte_offset, value.size_bytes);
  }
  return Status::kOk;
}

void Model::Poison(std::byte pattern) {
  if (!open_) return;
  for (std::uint32_t i = 0; i < descriptor_->planned_buffer_count; ++i) {
    const pilotlight_arena_t& buffer = descriptor_->planned_buffers[i];
    if (buffer.size_bytes != 0 && !IsState(i)) {
      std::memset(buffer.data, static_cast<int>(pattern), buffer.size_bytes);
    }
  }
  if (descriptor_->temp_pool.size_bytes != 0) {
    std::memset(descriptor_->temp_pool.data, static_cast<int>(pattern),
                descriptor_->temp_pool.size_bytes);
  }
  for (bool& given : given_) given = false;
  commit_pending_ = false;
}

bool Model::IsTied(std::size_t input) const {
  return std::any_of(descriptor_->ties, descriptor_->ties + descriptor_->tie_count,
                     [input](const pilotlight_tie_t& tie) { return tie.input == input; });
}

Status Model::ResetTies() {
  if (!open_) return Fail(Status::kBadArgument, "the model is not open");
  for (std::uint32_t i = 0; i < descriptor_->tie_count; ++i) {
    const std::uint32_t input = descriptor_->ties[i].input;
    FillWithZero(descriptor_->inputs[input], inputs_[input]);
    given_[input] = true;
  }
  commit_pending_ = false;
  return Status::kOk;
}

Status Model::CommitTies(std::uint32_t slot) {
  failure_text_[0] = '\0';
  if (!open_) return Fail(Status::kBadArgument, "the model is not open");
  if (descriptor_->tie_count == 0) return Fail(Status::kBadArgument, "the model has no ties");
  if (!commit_pending_) {
    return Fail(Status::kBadArgument,
                "no outputs to commit: commit once after each run, before the next inputs");
  }
  for (std::uint32_t i = 0; i < descriptor_->tie_count; ++i) {
    const pilotlight_tie_t& tie = descriptor_->ties[i];
    if (tie.axis >= 0 && slot >= tie.slots) {
      Text(failure_text_) << "input " << std::uint64_t{tie.input} << " has slots 0 to "
                          << std::uint64_t{tie.slots - 1} << ", and no slot "
                          << std::uint64_t{slot};
      return Status::kBadArgument;
    }
  }
  for (std::uint32_t i = 0; i < descriptor_->tie_count; ++i) {
    const pilotlight_tie_t& tie = descriptor_->ties[i];
    const std::byte* source = outputs_[tie.output].data();
    const std::size_t stride = std::size_t{tie.slots} * tie.block_bytes;
    const std::size_t first = tie.axis < 0 ? 0 : std::size_t{slot} * tie.block_bytes;
    std::byte* target = inputs_[tie.input].data() + first;
    for (std::uint32_t block = 0; block < tie.block_count; ++block) {
      std::memcpy(target, source, tie.block_bytes);
      source += tie.block_bytes;
      target += stride;
    }
    given_[tie.input] = true;
  }
  commit_pending_ = false;
  return Status::kOk;
}

Span<std::byte> Model::InputBuffer(std::size_t index) {
  if (!open_ || index >= descriptor_->input_count) return {};
  given_[index] = true;
  commit_pending_ = false;
  return inputs_[index];
}

bool Model::AllInputsGiven() const {
  return std::all_of(given_, given_ + descriptor_->input_count, [](bool given) { return given; });
}

Status Model::Run(std::uint64_t deadline_us) {
  failure_text_[0] = '\0';
  last_inference_ = {};
  if (!open_) return Fail(Status::kBadArgument, "the model is not open");
  if (!AllInputsGiven()) {
    return Fail(Status::kBadArgument, "an input was not filled since the last run");
  }
  commit_pending_ = false;
  for (std::size_t i = 0; i < descriptor_->input_count; ++i) given_[i] = IsTied(i);
  if (npu_ != nullptr) npu_->BeginInference(deadline_us);

  const std::uint64_t start_us = platform::NowUs();
  const std::uint64_t start_cycles = platform::CpuCycles();
  // Scratch for operators and delegates. Nothing else is allocated once the model is open.
  method_allocator_->forget_refusal();
  temp_allocator_->forget_refusal();
  temp_allocator_->set_sealed(false);
  const Error error = method_->execute();
  temp_allocator_->set_sealed(true);
  last_inference_.cpu_cycles = platform::CpuCycles() - start_cycles;
  last_inference_.duration_us = platform::NowUs() - start_us;
  if (npu_ != nullptr) {
    last_inference_.npu = npu_->stats();
    last_inference_.npu_status = npu_->failure().npu_status;
  }

  if (error != Error::Ok) return FailRuntime("running method forward", error);
  for (bool& given : given_) given = false;
  commit_pending_ = true;
  return Status::kOk;
}

Span<const std::byte> Model::OutputBuffer(std::size_t index) const {
  if (!open_ || index >= descriptor_->output_count) return {};
  return outputs_[index];
}

MemoryStats Model::memory() const {
  MemoryStats stats;
  if (!open_) return stats;
  stats.method_pool = {method_allocator_->high_water_bytes(), method_allocator_->size()};
  stats.temp_pool = {temp_allocator_->high_water_bytes(), temp_allocator_->size()};
  for (std::uint32_t i = 0; i < descriptor_->planned_buffer_count; ++i) {
    stats.planned.size_bytes += descriptor_->planned_buffers[i].size_bytes;
  }
  stats.planned.used_bytes = planned_use_bytes_;
  return stats;
}

Span<const pilotlight_tensor_info_t> Model::inputs() const {
  if (!open_) return {};
  return {descriptor_->inputs, descriptor_->input_count};
}

Span<const pilotlight_tensor_info_t> Model::outputs() const {
  if (!open_) return {};
  return {descriptor_->outputs, descriptor_->output_count};
}

Status Model::Fail(Status status, const char* text) {
  Text(failure_text_) << text;
  return status;
}

Status Model::FailAt(Status status, const char* text, std::size_t number) {
  Text(failure_text_) << text << " " << static_cast<std::uint64_t>(number);
  return status;
}

Status Model::FailTensor(Status status, const char* side, std::size_t index, const char* text) {
  Text(failure_text_) << "the program's " << side << " " << static_cast<std::uint64_t>(index) << " "
                      << text;
  return status;
}

Status Model::FailRuntime(const char* doing, Error error) {
  // The delegate knows the reason; ExecuTorch's error only names a class of failures.
  if (npu_ != nullptr && npu_->failure().status != Status::kOk) {
    Text(failure_text_) << npu_->failure().text;
    return npu_->failure().status;
  }
  if (ToStatus(error) == Status::kNoMemory &&
      (FailPool("method pool", method_allocator_) || FailPool("temp pool", temp_allocator_))) {
    return Status::kNoMemory;
  }
  Text(failure_text_) << doing << ": " << executorch::runtime::to_string(error);
  return ToStatus(error);
}

bool Model::FailPool(const char* pool, const std::optional<MarkedAllocator>& allocator) {
  if (!allocator.has_value() || allocator->refused_bytes() == 0) return false;
  if (allocator->refused_when_sealed()) {
    Text(failure_text_) << pool << " is sealed after the model is loaded: an inference requested "
                        << std::uint64_t{allocator->refused_bytes()} << " bytes";
    return true;
  }
  Text(failure_text_) << pool << " too small: " << std::uint64_t{allocator->size()}
                      << " bytes, of which " << std::uint64_t{allocator->used_size()}
                      << " were taken when " << std::uint64_t{allocator->refused_bytes()}
                      << " more were needed";
  return true;
}

}  // namespace pilotlight::model
