// SPDX-License-Identifier: Apache-2.0
#include "program_run.h"

#include <executorch/runtime/platform/runtime.h>

#include <cstring>

#include "pilotlight/base/text.h"
#include "pilotlight/platform/clock.h"
#include "semihosting.h"

// mutable_input() is deprecated, but its replacement set_input() copies from a second tensor.
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

namespace pilotlight::executor_runner {
namespace {

using executorch::aten::Tensor;
using executorch::runtime::Error;
using executorch::runtime::EValue;
using executorch::runtime::Program;
using semihosting::File;

constexpr const char* kMethod = "forward";
// A data cache line, which is more than NPU and runtime need.
constexpr std::size_t kAlignBytes = 32;
// For the runtime's structures. A network of a thousand operators needs some 300 KiB.
constexpr std::uint32_t kMethodPoolBytes = 16u << 20;
// This only bounds the wait for the NPU. The process that starts the emulator limits the whole
// time.
constexpr std::uint64_t kDeadlineUs = 3600ull * 1'000'000;
// The fast scratch is for programs compiled with a Dedicated_Sram memory mode. Vela's vela.ini has
// up to 512 KiB (arena_cache_size).
constexpr std::size_t kFastScratchBytes = 2u << 20;

// "<base>-<index>.bin"
struct OutputPath {
  OutputPath(const char* base, std::size_t index) {
    Text(text) << base << "-" << static_cast<std::uint64_t>(index) << ".bin";
  }
  char text[128];
};

Span<std::byte> BytesOf(const Tensor& tensor) {
  return {static_cast<std::byte*>(tensor.mutable_data_ptr()), tensor.nbytes()};
}

// None if `bytes` does not have the size of one number of this type.
template <typename T>
EValue NumberFrom(Span<const std::byte> bytes) {
  T number{};
  if (bytes.size() != sizeof number) return EValue();
  std::memcpy(&number, bytes.data(), sizeof number);
  return EValue(number);
}

}  // namespace

ProgramRun::ProgramRun(Span<std::byte> memory, ethos_u::EthosUBackend& npu)
    : npu_(npu),
      memory_(static_cast<std::uint32_t>(memory.size()),
              reinterpret_cast<std::uint8_t*>(memory.data())) {}

bool ProgramRun::Run(const CommandLine& command_line) {
  npu_.ClearFailure();
  if (!ReadProgram(command_line.program)) return false;
  if (!PlaceBuffers() || !LoadMethod()) return false;
  if (!RemoveOutputs(command_line.output)) return false;
  if (command_line.input_count != method_->inputs_size()) {
    return FailAt("the number of -i options must equal the number of program inputs,",
                  method_->inputs_size());
  }
  for (std::size_t i = 0; i < command_line.input_count; ++i) {
    if (!ReadInput(i, command_line.inputs[i])) return false;
  }
  return Execute() && WriteOutputs(command_line.output);
}

Span<std::byte> ProgramRun::ReadFile(const char* path) {
  const File file(path, File::Mode::kRead);
  std::size_t size_bytes = 0;
  if (!file.ok() || !file.Size(size_bytes)) {
    Fail("cannot open ", path);
    return {};
  }
  auto* const data = static_cast<std::byte*>(memory_.allocate(size_bytes, kAlignBytes));
  if (data == nullptr) {
    Fail("no room in DDR for ", path);
    return {};
  }
  if (!file.Read({data, size_bytes})) {
    Fail("cannot read ", path);
    return {};
  }
  return {data, size_bytes};
}

bool ProgramRun::ReadProgram(const char* path) {
  const Span<std::byte> bytes = ReadFile(path);
  if (bytes.data() == nullptr) return false;
  executorch::runtime::runtime_init();
  loader_.emplace(bytes.data(), bytes.size());
  auto program = Program::load(&*loader_, Program::Verification::InternalConsistency);
  if (!program.ok()) return FailRuntime("loading the program", program.error());
  program_.emplace(std::move(program.get()));
  return true;
}

bool ProgramRun::PlaceBuffers() {
  const auto meta = program_->method_meta(kMethod);
  if (!meta.ok()) return FailRuntime("looking for method forward", meta.error());
  const std::size_t count = meta->num_memory_planned_buffers();
  if (count > kMaxPlannedBuffers) return FailAt("too many planned buffers:", count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto size = meta->memory_planned_buffer_size(i);
    if (!size.ok()) return FailRuntime("reading the memory plan", size.error());
    // Whole cache lines, so that no other data shares a line that the NPU writes.
    const auto bytes =
        (static_cast<std::size_t>(size.get()) + kAlignBytes - 1) & ~(kAlignBytes - 1);
    auto* const data = static_cast<std::uint8_t*>(memory_.allocate(bytes, kAlignBytes));
    if (data == nullptr) return FailAt("no room in DDR for planned buffer", i + 1);
    planned_spans_[i] = {data, bytes};
  }
  planned_.emplace(
      executorch::runtime::Span<executorch::runtime::Span<std::uint8_t>>(planned_spans_, count));
  return true;
}

bool ProgramRun::LoadMethod() {
  void* const method_pool = memory_.allocate(kMethodPoolBytes, kAlignBytes);
  if (method_pool == nullptr) return Fail("no room in DDR for the runtime's structures");
  method_pool_.emplace(kMethodPoolBytes, static_cast<std::uint8_t*>(method_pool));

  void* const fast_scratch = memory_.allocate(kFastScratchBytes, kAlignBytes);
  if (fast_scratch == nullptr) return Fail("no room in DDR for the NPU's fast scratch area");
  npu_.SetFastScratch({static_cast<std::byte*>(fast_scratch), kFastScratchBytes});

  // The other half stays in memory_, for inputs and for outputs without a place in the plan.
  const std::uint32_t left = (memory_.size() - memory_.used_size()) / 2 & ~(kAlignBytes - 1);
  void* const temp_pool = memory_.allocate(left, kAlignBytes);
  if (temp_pool == nullptr) return Fail("no room in DDR for the NPU's scratch area");
  temp_pool_.emplace(left, static_cast<std::uint8_t*>(temp_pool));

  manager_.emplace(&*method_pool_, &*planned_, &*temp_pool_);
  auto method = program_->load_method(kMethod, &*manager_);
  if (!method.ok()) return FailRuntime("loading method forward", method.error());
  method_.emplace(std::move(method.get()));
  return true;
}

bool ProgramRun::ReadInput(std::size_t index, const char* path) {
  const Span<std::byte> bytes = ReadFile(path);
  if (bytes.data() == nullptr) return false;
  EValue& input = method_->mutable_input(index);
  if (!input.isTensor()) return SetNumber(index, input, bytes);
  const Tensor tensor = input.toTensor();
  if (tensor.nbytes() != bytes.size()) {
    Text(failure_) << path << " has " << static_cast<std::uint64_t>(bytes.size())
                   << " bytes, but the program's input has "
                   << static_cast<std::uint64_t>(tensor.nbytes());
    return false;
  }
  if (bytes.empty()) return true;
  if (tensor.const_data_ptr() == nullptr) {
    tensor.unsafeGetTensorImpl()->set_data(bytes.data());
  } else {
    std::memcpy(tensor.mutable_data_ptr(), bytes.data(), bytes.size());
  }
  return true;
}

// Sets a Python number as NumPy stores it. The program was compiled for one value, and the runtime
// refuses any other. For None, the bytes mean nothing.
bool ProgramRun::SetNumber(std::size_t index, const EValue& input, Span<const std::byte> bytes) {
  if (input.isNone()) return true;
  EValue given;
  if (input.isInt()) given = NumberFrom<std::int64_t>(bytes);
  if (input.isDouble()) given = NumberFrom<double>(bytes);
  if (input.isBool()) given = NumberFrom<bool>(bytes);
  if (given.isNone()) {
    return FailAt("the file does not hold one number of the type of input", index);
  }
  const Error error = method_->set_input(given, index);
  return error == Error::Ok || FailRuntime("setting a number", error);
}

bool ProgramRun::Execute() {
  for (std::size_t i = 0; i < method_->outputs_size(); ++i) {
    const EValue& output = method_->get_output(i);
    if (!output.isTensor()) {
      return FailAt("the program returns a value that is not a tensor: output", i);
    }
    const Tensor tensor = output.toTensor();
    if (tensor.const_data_ptr() != nullptr || tensor.nbytes() == 0) continue;
    void* const data = memory_.allocate(tensor.nbytes(), kAlignBytes);
    if (data == nullptr) return FailAt("no room in DDR for output", i);
    const Error error = method_->set_output_data_ptr(data, tensor.nbytes(), i);
    if (error != Error::Ok) return FailRuntime("placing an output", error);
  }
  npu_.BeginInference(platform::NowUs() + kDeadlineUs);
  const Error error = method_->execute();
  return error == Error::Ok || FailRuntime("running method forward", error);
}

// Removes the output files of an earlier run, which could otherwise pass for the outputs of this
// run.
bool ProgramRun::RemoveOutputs(const char* base) {
  if (std::strlen(base) > 64) return Fail("the name of the outputs is too long: ", base);
  for (std::size_t i = 0; i < method_->outputs_size(); ++i) {
    semihosting::Remove(OutputPath(base, i).text);
  }
  return true;
}

bool ProgramRun::WriteOutputs(const char* base) {
  for (std::size_t i = 0; i < method_->outputs_size(); ++i) {
    const OutputPath path(base, i);
    File file(path.text, File::Mode::kWrite);
    if (!file.ok() || !file.Write(BytesOf(method_->get_output(i).toTensor())) || !file.Close()) {
      return Fail("cannot write ", path.text);
    }
  }
  return true;
}

bool ProgramRun::Fail(const char* text, const char* subject) {
  Text(failure_) << text << subject;
  return false;
}

bool ProgramRun::FailAt(const char* text, std::size_t number) {
  Text(failure_) << text << " " << static_cast<std::uint64_t>(number);
  return false;
}

bool ProgramRun::FailRuntime(const char* doing, Error error) {
  // The delegate knows the reason; ExecuTorch's error only names a class of failures.
  if (npu_.failure().status != Status::kOk) return Fail(npu_.failure().text);
  Text(failure_) << doing << ": " << executorch::runtime::to_string(error);
  return false;
}

}  // namespace pilotlight::executor_runner
