// SPDX-License-Identifier: Apache-2.0
//
// Registers the kernels of one image and then those of another, which is an error. With an
// argument, registers more kernels than the registry has room for.
#include <executorch/runtime/kernel/operator_registry.h>

#include <cstdio>
#include <vector>

#include <executorch/runtime/platform/platform.h>

#include "pilotlight/executorch/signatures.h"

namespace {

using executorch::runtime::Kernel;

void DoNothing(executorch::runtime::KernelRuntimeContext& context,
               executorch::runtime::Span<executorch::runtime::EValue*> stack) {
  (void)context;
  (void)stack;
}

const Kernel kFirst[] = {Kernel("test::first.out", DoNothing)};
const Kernel kSecond[] = {Kernel("test::second.out", DoNothing)};

}  // namespace

extern "C" void et_pal_emit_log_message(et_timestamp_t, et_pal_log_level_t, const char*,
                                        const char*, size_t, const char* message, size_t) {
  std::fprintf(stderr, "%s\n", message);
}

int main(int argc, char**) {
  using pilotlight::executorch_runtime::RegisterSignedKernels;
  RegisterSignedKernels({{kFirst, 1}, "t"});
  if (!executorch::runtime::registry_has_op_function("test::first.out")) return 1;
  std::puts("registered");
  std::fflush(stdout);
  if (argc > 1) {
    const std::vector<Kernel> many(64, Kernel("test::many.out", DoNothing));
    return static_cast<int>(executorch::runtime::register_kernels({many.data(), many.size()}));
  }
  RegisterSignedKernels({{kSecond, 1}, "t"});
  return 0;
}
