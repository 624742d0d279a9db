// SPDX-License-Identifier: Apache-2.0
//
// The kernels of an image, with what a call of each has to look like. A method whose
// calls do not is refused when it is loaded: the wrappers that take the arguments off
// the stack abort on a value of another kind. Kernels that come by the wheel's
// register_kernels() have no signature, and their calls are not checked, as in the wheel.
//
// A signature has one item an argument, out arguments and what the operator returns included:
//
//   t  tensor     l  list of tensors     o  list of optional tensors
//   w  tensor, W  list of tensors, that the kernel writes: none may be a constant
//   i  integer, also one that stands for a dtype, a memory format, a layout or a device
//   d  floating-point number     b  boolean
//   I, D, B  list of those       S  string
//   s  i, d or b                 n  i or d
//   =  of the kind of the argument before
//   ~  a boolean if the argument before is one, else a number
//   ?x  x, or none               *  anything; the kernel does not look at it
//   0  the very value of the first argument, which an operator in place returns
//   >x  a number or boolean that the kernel replaces by
//         i, d, b   one of this kind
//         n         a floating-point number if an argument is one, else an integer
//         =         one of the kind of the argument before
//         e         an element of the first argument, a tensor
#pragma once

#include <executorch/runtime/core/span.h>
#include <executorch/runtime/kernel/operator_registry.h>

namespace pilotlight::executorch_runtime {

// Both in memory that stays: neither is copied.
struct SignedKernels {
  executorch::runtime::Span<const executorch::runtime::Kernel> kernels;
  const char*
      signatures;  // Each with its terminator, one behind the other, in the order of kernels.
};

// Once. The table is the registry while nothing else is registered, and has no limit then.
// Aborts where register_kernels() would.
void RegisterSignedKernels(const SignedKernels& table);

}  // namespace pilotlight::executorch_runtime
