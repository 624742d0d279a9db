// SPDX-License-Identifier: Apache-2.0
//
// Registers the kernels of one image and then those of another, which is an error.
#include <executorch/runtime/kernel/operator_registry.h>

#include <cstdio>

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

int main() {
  using pilotlight::executorch_runtime::RegisterSignedKernels;
  RegisterSignedKernels({{kFirst, 1}, "t"});
  if (!executorch::runtime::registry_has_op_function("test::first.out")) return 1;
  std::puts("registered");
  std::fflush(stdout);
  RegisterSignedKernels({{kSecond, 1}, "t"});
  return 0;
}
