// SPDX-License-Identifier: Apache-2.0
// Registers the kernels that one .pte names. ${generated_comment}
#include "${fn_header}"

#include <executorch/runtime/core/event_tracer_hooks.h>
#include <executorch/runtime/core/evalue.h>
#include <executorch/runtime/kernel/kernel_includes.h>
#include <executorch/runtime/kernel/operator_registry.h>

namespace torch {
namespace executor {

static Kernel kernels_of_this_image[] = {
    ${unboxed_kernels}
};

}  // namespace executor
}  // namespace torch
