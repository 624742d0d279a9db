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

// Before main(); the registry needs no constructor of its own to have run.
[[maybe_unused]] const Error registered =
    register_kernels({kernels_of_this_image, kernels_of_this_image + sizeof(kernels_of_this_image) / sizeof(Kernel)});

}  // namespace
}  // namespace executor
}  // namespace torch
