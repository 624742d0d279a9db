// SPDX-License-Identifier: Apache-2.0
// Kernels that this image registers. ${generated_comment}
#pragma once

#include <tuple>

#include <executorch/runtime/core/exec_aten/exec_aten.h>
#include <executorch/runtime/kernel/kernel_runtime_context.h>

${nativeFunctions_declarations}
