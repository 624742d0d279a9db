// SPDX-License-Identifier: Apache-2.0
//
// Opens .pte files with the ExecuTorch runtime that it is linked with, makes the calls that an
// application may make, and prints the results. Linked with our runtime and with the wheel's;
// test_differential.py compares the output.
//
//   probe [--verify] [--pool] [--operator NAME]... FILE...
//
// Each file runs in a child process, so a crash is only one line of output. Operators named on the
// command line get a kernel that prints its arguments and fills its last tensor from them. This
// shows how values are built and passed, without real kernels.
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include <executorch/extension/data_loader/buffer_data_loader.h>
#include <executorch/runtime/backend/interface.h>
#include <executorch/runtime/executor/program.h>
#include <executorch/runtime/platform/platform.h>
#include <executorch/runtime/platform/runtime.h>

#include "probe_fakes.h"
#include "probe_print.h"

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"  // step() is "experimental".

namespace {

using executorch::extension::BufferDataLoader;
using namespace executorch::runtime;  // NOLINT: this whole file is about it
using etensor::ScalarType;
using etensor::Tensor;
using probe::Code;
using probe::CountdownKernel;
using probe::FailingKernel;
using probe::PrintMeta;
using probe::PrintTensor;
using probe::PrintValue;
using probe::TracingBackend;
using probe::TracingKernel;

struct OwnedTensor {
  OwnedTensor(const Tensor& like, unsigned seed)
      : sizes(like.sizes().begin(), like.sizes().end()),
        order(like.dim_order().begin(), like.dim_order().end()),
        strides(like.strides().begin(), like.strides().end()),
        data(like.nbytes() + 1),
        impl(like.scalar_type(), like.dim(), sizes.data(), data.data(), order.data(),
             strides.data()) {
    for (std::size_t i = 0; i < like.nbytes(); ++i) {
      data[i] = static_cast<std::uint8_t>(i * 37 + seed);
    }
    if (like.scalar_type() == ScalarType::Float) {
      for (ssize_t i = 0; i < like.numel(); ++i) {
        const float value =
            static_cast<float>((i * 29 + static_cast<ssize_t>(seed)) % 200) / 50 - 2;
        std::memcpy(&data[static_cast<std::size_t>(i) * 4], &value, 4);
      }
    }
    if (like.scalar_type() == ScalarType::Bool) {
      for (std::uint8_t& byte : data) byte %= 2;
    }
  }

  std::vector<std::int32_t> sizes;
  std::vector<std::uint8_t> order;
  std::vector<std::int32_t> strides;
  std::vector<std::uint8_t> data;
  etensor::TensorImpl impl;
};

void SetAndPrint(Method& method, std::size_t index, const EValue& value, const char* what) {
  const Error error = method.set_input(value, index);
  std::printf("set_input %zu %s 0x%x\n", index, what, Code(error));
}

void TryWrongInputs(Method& method) {
  SetAndPrint(method, method.inputs_size(), EValue(std::int64_t{1}), "out of range");
  for (std::size_t i = 0; i < method.inputs_size(); ++i) {
    const EValue own = method.get_input(i);
    if (!own.isTensor()) {
      SetAndPrint(method, i, EValue(), "none");
      SetAndPrint(method, i, EValue(std::int64_t{987654}), "another int");
      SetAndPrint(method, i, EValue(0.3), "another double");
      continue;
    }
    SetAndPrint(method, i, EValue(std::int64_t{1}), "int for a tensor");
    OwnedTensor good(own.toTensor(), 0);
    if (good.sizes.empty()) continue;
    etensor::TensorImpl other_type(
        good.impl.scalar_type() == ScalarType::Int ? ScalarType::Float : ScalarType::Int,
        good.impl.dim(), good.sizes.data(), good.data.data(), good.order.data(),
        good.strides.data());
    SetAndPrint(method, i, EValue(Tensor(&other_type)), "another dtype");
    etensor::TensorImpl other_rank(good.impl.scalar_type(), good.impl.dim() - 1, good.sizes.data(),
                                   good.data.data(), good.order.data(), good.strides.data());
    SetAndPrint(method, i, EValue(Tensor(&other_rank)), "another rank");
    good.sizes[0] += 1;
    etensor::TensorImpl larger(good.impl.scalar_type(), good.impl.dim(), good.sizes.data(), nullptr,
                               good.order.data(), good.strides.data());
    SetAndPrint(method, i, EValue(Tensor(&larger)), "larger");
  }
}

void PrintOutputs(Method& method) {
  for (std::size_t i = 0; i < method.outputs_size(); ++i) {
    std::printf("output %zu ", i);
    PrintValue(method.get_output(i));
  }
}

void RunMethod(Method& method) {
  std::printf("%zu inputs, %zu outputs, in progress %d\n", method.inputs_size(),
              method.outputs_size(), method.in_progress());
  if (method.inputs_size() > 0) std::printf("execute unset 0x%x\n", Code(method.execute()));
  TryWrongInputs(method);
  std::vector<std::unique_ptr<OwnedTensor>> inputs;
  for (unsigned round = 0; round < 2; ++round) {
    for (std::size_t i = 0; i < method.inputs_size(); ++i) {
      const EValue own = method.get_input(i);
      if (own.isTensor()) {
        inputs.push_back(std::make_unique<OwnedTensor>(own.toTensor(), round * 11 + unsigned(i)));
        SetAndPrint(method, i, EValue(Tensor(&inputs.back()->impl)), "tensor");
      } else {
        SetAndPrint(method, i, own, "its own value");
      }
    }
    std::vector<std::unique_ptr<std::uint8_t[]>> outputs;
    for (std::size_t i = 0; i <= method.outputs_size(); ++i) {
      outputs.emplace_back(new std::uint8_t[65536]());
      std::printf("set_output %zu 0x%x\n", i,
                  Code(method.set_output_data_ptr(outputs.back().get(), 65536, i)));
    }
    std::printf("execute 0x%x\n", Code(method.execute()));
    PrintOutputs(method);
    std::printf("step\n");
    Error error = Error::Ok;
    for (int i = 0; i < 40 && error == Error::Ok; ++i) {
      error = method.step();
      std::printf("step %d 0x%x in progress %d\n", i, Code(error), method.in_progress());
      if (i == 0) std::printf("execute between steps 0x%x\n", Code(method.execute()));
      if (i == 0) std::printf("reset between steps 0x%x\n", Code(method.reset_execution()));
    }
    PrintOutputs(method);
    std::printf("reset 0x%x\n", Code(method.reset_execution()));
  }
  std::vector<EValue> values(method.outputs_size() + 1);
  std::printf("get_outputs 0x%x\n", Code(method.get_outputs(values.data(), values.size())));
  std::printf("get_outputs exact 0x%x\n",
              Code(method.get_outputs(values.data(), method.outputs_size())));
  if (method.outputs_size() > 0) {
    std::printf("get_outputs short 0x%x\n",
                Code(method.get_outputs(values.data(), method.outputs_size() - 1)));
  }
  std::printf("set_inputs none 0x%x\n", Code(method.set_inputs({})));
  std::printf("attribute 0x%x\n", Code(method.get_attribute("no such attribute").error()));
  const MethodMeta meta = method.method_meta();
  for (std::size_t i = 0; i < meta.num_attributes(); ++i) {
    const std::string name(meta.attribute_tensor_meta(i)->name());
    const Result<Tensor> attribute = method.get_attribute(name);
    std::printf("attribute %s 0x%x ", name.c_str(), Code(attribute.error()));
    if (attribute.ok()) PrintTensor(*attribute);
  }
}

// The two runtimes need not agree on this value.
bool print_pool_use = false;

void LoadAndRun(const Program& program, const char* name, std::size_t pool_bytes) {
  const Result<MethodMeta> meta = program.method_meta(name);
  std::printf("method_meta 0x%x\n", Code(meta.error()));
  std::vector<std::vector<std::uint8_t>> planned;
  std::vector<Span<std::uint8_t>> spans;
  if (meta.ok()) {
    PrintMeta(*meta);
    for (std::size_t i = 0; i < meta->num_memory_planned_buffers(); ++i) {
      const Result<std::int64_t> size = meta->memory_planned_buffer_size(i);
      planned.emplace_back(size.ok() && *size < (1 << 24) ? static_cast<std::size_t>(*size) : 0);
    }
    for (auto& buffer : planned) spans.emplace_back(buffer.data(), buffer.size());
  }
  std::vector<std::uint8_t> pool(pool_bytes);
  std::vector<std::uint8_t> temp(
      40);  // Enough for one call, so the runtime must reset it after each.
  MemoryAllocator method_allocator(static_cast<std::uint32_t>(pool.size()), pool.data());
  MemoryAllocator temp_allocator(static_cast<std::uint32_t>(temp.size()), temp.data());
  HierarchicalAllocator planned_memory({spans.data(), spans.size()});
  MemoryManager memory(&method_allocator, &planned_memory, &temp_allocator);
  Result<Method> method = program.load_method(name, &memory);
  std::printf("load_method 0x%x\n", Code(method.error()));
  if (print_pool_use && method.ok()) std::printf("pool %zu\n", method_allocator.used_size());
  if (method.ok()) RunMethod(*method);
}

void Probe(const char* path, Program::Verification verification) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> content((std::istreambuf_iterator<char>(file)), {});
  auto* data = static_cast<char*>(aligned_alloc(64, (content.size() + 64) / 64 * 64));
  std::memcpy(data, content.data(), content.size());

  std::printf("header %d\n", static_cast<int>(Program::check_header(data, content.size())));
  BufferDataLoader loader(data, content.size());
  const Result<Program> program = Program::load(&loader, verification);
  std::printf("load 0x%x\n", Code(program.error()));
  if (program.ok()) {
    std::printf("%zu methods, name out of range 0x%x, unknown 0x%x\n", program->num_methods(),
                Code(program->get_method_name(program->num_methods()).error()),
                Code(program->method_meta("no such method").error()));
    const Result<const NamedDataMap*> named = program->get_named_data_map();
    std::printf("named data 0x%x\n", Code(named.error()));
    for (std::size_t i = 0; i < 3; ++i) {
      std::printf("constant %zu 0x%x\n", i, Code(program->get_constant_buffer_data(i, 4).error()));
    }
    for (std::size_t i = 0; i < program->num_methods(); ++i) {
      const Result<const char*> name = program->get_method_name(i);
      std::printf("method %zu 0x%x %s\n", i, Code(name.error()), name.ok() ? *name : "");
      if (!name.ok()) continue;
      LoadAndRun(*program, *name, 1 << 20);
      std::printf("with a pool of 64 bytes\n");
      LoadAndRun(*program, *name, 64);
    }
  }
  free(data);
}

}  // namespace

#if defined(REGISTER_OPERATORS)  // The wheel's operators register themselves.
extern "C" void pilotlight_register_operators(void);

namespace {

// The wheel's runtime does this by itself on the host.
void LogToStderr(et_timestamp_t, et_pal_log_level_t, const char*, const char*, std::size_t,
                 const char* message, std::size_t length) {
  std::fprintf(stderr, "%.*s\n", static_cast<int>(length), message);
}

}  // namespace
#endif

int main(int argc, char** argv) {
  runtime_init();
#if defined(REGISTER_OPERATORS)
  if (!register_pal(PalImpl::create(LogToStderr, __FILE__))) return 1;
  pilotlight_register_operators();
#endif
  Program::Verification verification = Program::Verification::Minimal;
  std::vector<const char*> files;
  Error error = register_kernel(Kernel("probe::fail.out", FailingKernel));
  if (error == Error::Ok) error = register_kernel(Kernel("probe::countdown", CountdownKernel));
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--verify") == 0) {
      verification = Program::Verification::InternalConsistency;
    } else if (std::strcmp(argv[i], "--pool") == 0) {
      print_pool_use = true;
    } else if (std::strcmp(argv[i], "--operator") == 0 && i + 1 < argc) {
      ++i;
      // If the runtime already has a kernel for the operator, that kernel stays.
      if (!registry_has_op_function(argv[i])) {
        error = register_kernel(Kernel(argv[i], TracingKernel));
      }
    } else {
      files.push_back(argv[i]);
    }
  }
  BackendInterface* const backend = TracingBackend();
  if (error == Error::Ok) error = register_backend({"EthosUBackend", backend});
  std::printf("registration 0x%x, twice 0x%x, unknown %d\n", Code(error),
              Code(register_backend({"EthosUBackend", backend})),
              get_backend_class("no such backend") != nullptr);

  for (const char* file : files) {
    std::printf("=== %s\n", file);
    std::fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
      // Ends an endless loop in a program. The limit is for this process's own processor time, so a
      // busy machine does not matter.
      const struct itimerval limit = {{0, 0}, {20, 0}};
      setitimer(ITIMER_PROF, &limit, nullptr);
      Probe(file, verification);
      std::fflush(stdout);
      _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    if (WIFSIGNALED(status)) std::printf("crashed\n");
  }
  return 0;
}
