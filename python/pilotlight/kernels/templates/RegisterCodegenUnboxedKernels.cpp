// SPDX-License-Identifier: Apache-2.0
// The kernels that one .pte names. ${generated_comment}
#include "${fn_header}"

#include <executorch/runtime/core/event_tracer_hooks.h>
#include <executorch/runtime/core/evalue.h>
#include <executorch/runtime/kernel/kernel_includes.h>
#include <executorch/runtime/kernel/operator_registry.h>

namespace torch {
namespace executor {

// operators.cpp defines this macro. The macro contains the operators that have no schema for the
// generator.
static constexpr Kernel kernels_of_this_image[] = {
    ${unboxed_kernels}
    PRIMITIVES_OF_THIS_IMAGE
};

}  // namespace executor
}  // namespace torch
