// SPDX-License-Identifier: Apache-2.0
// Registers the kernels that one .pte names. ${generated_comment}
#include "${fn_header}"

#include <executorch/runtime/core/event_tracer_hooks.h>
#include <executorch/runtime/core/evalue.h>
#include <executorch/runtime/kernel/kernel_includes.h>
#include <executorch/runtime/kernel/operator_registry.h>

namespace torch {
namespace executor {
namespace {

Kernel kernels_of_this_image[] = {
    ${unboxed_kernels}
};

}  // namespace
}  // namespace executor
}  // namespace torch

// Not before main(): an app may have a start-up that calls no constructors. A registry that is full says so in
// the log, and a program that misses an operator is refused when it is loaded.
extern "C" void pilotlight_register_operators(void);
extern "C" void pilotlight_register_operators(void) {
  using namespace torch::executor;
  (void)register_kernels(
      {kernels_of_this_image, kernels_of_this_image + sizeof(kernels_of_this_image) / sizeof(Kernel)});
}
