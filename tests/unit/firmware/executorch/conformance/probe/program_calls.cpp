// SPDX-License-Identifier: Apache-2.0
#include "program_calls.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include <executorch/extension/data_loader/buffer_data_loader.h>
#include <executorch/runtime/executor/program.h>
#include <executorch/runtime/executor/program_validation.h>

#include "backends.h"
#include "event_log.h"
#include "machine.h"
#include "metadata.h"
#include "method_calls.h"
#include "method_memory.h"
#include "named_data.h"
#include "tracing_kernels.h"
#include "transcript.h"

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

namespace conformance {
namespace {

using executorch::extension::BufferDataLoader;
using executorch::runtime::Error;
using executorch::runtime::EventTracer;
using executorch::runtime::EventTracerDebugLogLevel;
using executorch::runtime::EventTracerProfilingLevel;
using executorch::runtime::Kernel;
using executorch::runtime::Method;
using executorch::runtime::MethodMeta;
using executorch::runtime::Program;
using executorch::runtime::Result;
using executorch::runtime::Span;

// The number of pool sizes to try, from none to enough.
constexpr std::size_t kPoolSteps = 80;

// A program in memory, and the data beside it.
class OpenProgram {
 public:
  OpenProgram(Arena& arena, const char* path, Program::Verification verification)
      : file_(Read(arena, path)),
        data_(ReadBeside(arena, path)),
        loader_(file_.data(), file_.size()),
        program_(Program::load(&loader_, verification)) {}

  Span<std::uint8_t> file() const { return file_; }
  const Result<Program>& program() const { return program_; }
  Result<Program>& program() { return program_; }
  Span<std::uint8_t> data() const { return data_; }

 private:
  static Span<std::uint8_t> Read(Arena& arena, const char* path) {
    const std::int64_t size = FileSize(path);
    if (size < 0) return {};
    const auto bytes = arena.Bytes(static_cast<std::size_t>(size));
    if (!ReadFile(path, bytes)) out << "cannot read " << path << "\n";
    return bytes;
  }

  // "<name>.data" for "<name>.pte".
  static Span<std::uint8_t> ReadBeside(Arena& arena, const char* path) {
    char beside[256];
    const std::size_t stem = std::min<std::size_t>(std::strlen(path) - 4, sizeof beside - 6);
    std::memcpy(beside, path, stem);
    std::memcpy(beside + stem, ".data", 6);
    return Read(arena, beside);
  }

  Span<std::uint8_t> file_;
  Span<std::uint8_t> data_;
  BufferDataLoader loader_;
  Result<Program> program_;
};

struct HowToLoad {
  MemorySizes sizes;
  EventTracer* tracer = nullptr;
  DataFault data_fault = DataFault::kNone;
  bool has_backend_options = false;
  bool has_data = true;
  Span<const Kernel> kernels;
};

// A method, if it could be loaded, and everything that it points to.
class LoadedMethod {
 public:
  LoadedMethod(Arena& arena, const OpenProgram& open, const char* name, const HowToLoad& options)
      : data_(open.data(), options.data_fault),
        memory_(arena, *open.program()->method_meta(name), options.sizes),
        method_(open.program()->load_method(
            name, &memory_.manager(), options.tracer,
            options.has_data && open.data().size() > 0 ? &data_ : nullptr,
            options.has_backend_options ? &LoadOptions() : nullptr, options.kernels)) {}
  LoadedMethod(const LoadedMethod&) = delete;

  Result<Method>& method() { return method_; }
  std::size_t used_pool_bytes() const { return memory_.used_pool_bytes(); }

 private:
  NamedData data_;
  MethodMemory memory_;
  Result<Method> method_;
};

HowToLoad Traced() {
  HowToLoad options;
  options.kernels = TracingKernels();
  return options;
}

// Calls `action(name)` for each method that has metadata.
template <typename Action>
void ForEachMethod(const OpenProgram& open, Action action) {
  if (!open.program().ok()) {
    out << "load " << open.program().error() << "\n";
    return;
  }
  for (std::size_t i = 0; i < open.program()->num_methods(); ++i) {
    const Result<const char*> name = open.program()->get_method_name(i);
    out << "method " << i << " " << name.error() << " " << (name.ok() ? *name : "") << "\n";
    if (!name.ok()) continue;
    const Result<MethodMeta> meta = open.program()->method_meta(*name);
    out << "method_meta " << meta.error() << "\n";
    if (meta.ok()) action(*name);
  }
}

void PrintLoad(const OpenProgram& open, const char* name, const char* what,
               const HowToLoad& options) {
  Arena arena;
  LoadedMethod loaded(arena, open, name, options);
  out << "load " << what << " " << loaded.method().error() << "\n";
}

void TryDataFaults(const OpenProgram& open, const char* name) {
  if (open.data().size() == 0) return;
  HowToLoad options = Traced();
  options.has_data = false;
  PrintLoad(open, name, "without data", options);
  options.has_data = true;
  constexpr DataFault kFaults[] = {DataFault::kNoKeys, DataFault::kOtherDtype,
                                   DataFault::kOtherSize};
  for (const DataFault fault : kFaults) {
    options.data_fault = fault;
    PrintLoad(open, name, "with wrong data", options);
  }
}

// A FlatBuffer begins with the offset of its root table.
void PrintValidation(Span<std::uint8_t> file) {
  std::uint32_t root;
  std::memcpy(&root, file.data(), sizeof root);
  out << "validate_program "
      << executorch::runtime::validate_program(
             reinterpret_cast<const executorch_flatbuffer::Program*>(file.data() + root))
      << "\n";
}

void PrintProgram(const OpenProgram& open) {
  const Result<Program>& program = open.program();
  out << "load " << program.error() << "\n";
  if (!program.ok()) return;
  out << program->num_methods() << " methods, name out of range "
      << program->get_method_name(program->num_methods()).error() << ", unknown "
      << program->method_meta("no such method").error() << ", encoding "
      << program->get_output_flattening_encoding("no such method").error() << "\n";
  const auto named = program->get_named_data_map();
  out << "named data " << named.error() << "\n";
  if (named.ok()) Print(**named);
  for (std::size_t i = 0; i < 4; ++i) {
    const auto constant = program->get_constant_buffer_data(i, 4);
    out << "constant " << i << " " << constant.error() << " ";
    if (constant.ok() && *constant != nullptr) out.HexBytes(*constant, 4);
    out << " of 2^20 bytes " << program->get_constant_buffer_data(i, 1u << 20).error() << "\n";
  }
  Arena arena;
  executorch::runtime::MemoryAllocator pool(4096, arena.Bytes(4096).data());
  executorch::runtime::MemoryManager manager(&pool);
  out << "load_method unknown " << program->load_method("no such method", &manager).error() << "\n";
}

// Prints the different errors, in the order in which they first occur while the pool grows.
void TryPoolsUpTo(const OpenProgram& open, const char* name, std::size_t enough_bytes) {
  out << "pools from nothing to enough:";
  std::optional<Error> last;
  for (std::size_t step = 0; step <= kPoolSteps; ++step) {
    Arena arena;
    HowToLoad options = Traced();
    options.sizes.pool_bytes = enough_bytes * step / kPoolSteps;
    out.Mute(true);
    Error error;
    {
      LoadedMethod loaded(arena, open, name, options);
      error = loaded.method().error();
    }
    out.Mute(false);
    if (last != error) out << " " << error;
    last = error;
  }
  out << "\n";
}

void TryPlannedBuffer(const OpenProgram& open, const char* name, std::size_t index,
                      std::size_t bytes) {
  HowToLoad options = Traced();
  options.sizes.short_buffer = index;
  const std::size_t nearly = bytes == 0 ? 0 : bytes - 1;
  for (const std::size_t left : {std::size_t{0}, bytes / 2, nearly}) {
    options.sizes.short_bytes = left;
    out << "buffer " << index << " of " << left << " bytes: ";
    PrintLoad(open, name, "short of planned memory", options);
  }
  options = Traced();
  options.sizes.buffer_limit = index;
  PrintLoad(open, name, "with fewer buffers", options);
}

void ExerciseLoadedMethod(const OpenProgram& open, const char* name, const HowToLoad& options) {
  Arena arena;
  LoadedMethod loaded(arena, open, name, options);
  out << "load_method " << loaded.method().error() << "\n";
  if (loaded.method().ok()) ExerciseMethod(*loaded.method());
}

}  // namespace

void ExerciseProgram(const char* path) {
  Arena arena;
  OpenProgram verified(arena, path, Program::Verification::InternalConsistency);
  OpenProgram open(arena, path, Program::Verification::Minimal);
  const Span<std::uint8_t> file = open.file();
  for (const std::size_t size : {file.size(), std::size_t{63}, std::size_t{8}, std::size_t{0}}) {
    out << "header "
        << static_cast<int>(Program::check_header(file.data(), std::min(size, file.size())))
        << "\n";
  }
  out << "verified " << verified.program().error() << "\n";
  if (verified.program().ok()) PrintValidation(file);
  PrintProgram(open);
  ForEachMethod(open, [&](const char* name) {
    const auto encoding = open.program()->get_output_flattening_encoding(name);
    out << "encoding " << encoding.error() << " " << (encoding.ok() ? *encoding : "") << "\n";
    Print(*open.program()->method_meta(name));
    HowToLoad options = Traced();
    ExerciseLoadedMethod(open, name, options);
    TryDataFaults(open, name);
    out << "with options for backends, from the middle of a pool, and memory of the platform\n";
    options.has_backend_options = true;
    options.sizes.pool_offset_bytes = 1;
    options.sizes.has_temp = false;
    ExerciseLoadedMethod(open, name, options);
  });
}

void LogEvents(const char* path) {
  Arena arena;
  OpenProgram open(arena, path, Program::Verification::Minimal);
  ForEachMethod(open, [&](const char* name) {
    constexpr EventTracerDebugLogLevel kLevels[] = {EventTracerDebugLogLevel::kNoLogging,
                                                    EventTracerDebugLogLevel::kProgramOutputs,
                                                    EventTracerDebugLogLevel::kIntermediateOutputs};
    for (const auto level : kLevels) {
      Arena run_arena;
      EventLog log(level);
      if (level == EventTracerDebugLogLevel::kProgramOutputs) {
        log.set_event_tracer_profiling_level(EventTracerProfilingLevel::kProfileMethodOnly);
      }
      HowToLoad options = Traced();
      options.tracer = &log;
      LoadedMethod loaded(run_arena, open, name, options);
      out << "load_method " << loaded.method().error() << "\n";
      if (loaded.method().ok()) ExerciseMethod(*loaded.method());
    }
  });
}

void TryPools(const char* path) {
  Arena arena;
  OpenProgram open(arena, path, Program::Verification::Minimal);
  ForEachMethod(open, [&](const char* name) {
    std::size_t enough_bytes;
    Error error;
    {
      Arena load_arena;
      LoadedMethod loaded(load_arena, open, name, Traced());
      enough_bytes = loaded.used_pool_bytes();
      error = loaded.method().error();
    }
    out << "load " << error << "\n";
    if (error == Error::Ok) TryPoolsUpTo(open, name, enough_bytes);
  });
}

void TryPlannedBuffers(const char* path) {
  Arena arena;
  OpenProgram open(arena, path, Program::Verification::Minimal);
  ForEachMethod(open, [&](const char* name) {
    const MethodMeta meta = *open.program()->method_meta(name);
    for (std::size_t i = 0; i < meta.num_memory_planned_buffers(); ++i) {
      TryPlannedBuffer(open, name, i,
                       static_cast<std::size_t>(*meta.memory_planned_buffer_size(i)));
    }
  });
}

void TryShortData(const char* path) {
  Arena arena;
  OpenProgram open(arena, path, Program::Verification::Minimal);
  ForEachMethod(open, [&](const char* name) {
    HowToLoad options = Traced();
    options.data_fault = DataFault::kShort;
    PrintLoad(open, name, "with short data", options);
  });
}

void RunWithKernels(const char* path) {
  Arena arena;
  OpenProgram open(arena, path, Program::Verification::Minimal);
  ForEachMethod(open, [&](const char* name) {
    Arena method_arena;
    HowToLoad options;
    options.sizes.temp_bytes = 1u << 20;
    LoadedMethod loaded(method_arena, open, name, options);
    out << "load_method " << loaded.method().error() << "\n";
    if (loaded.method().ok()) RunMethod(*loaded.method());
  });
}

}  // namespace conformance
