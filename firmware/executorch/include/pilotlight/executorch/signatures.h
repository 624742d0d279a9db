// SPDX-License-Identifier: Apache-2.0
//
// The kernels of an image, with a signature for each. load_method() refuses a method with a call
// that does not match its kernel's signature. Without this check, the generated wrapper would abort
// on an argument of the wrong kind. Kernels registered with the wheel's register_kernels() have no
// signature; their calls are not checked, as in the wheel.
//
// A signature has one item per argument, including the out arguments and the returned value:
//
//   t  tensor                     l  list of tensors     o  list of optional tensors
//   w  tensor that is written     W  list of tensors that are written; neither may be a constant
//   i  integer, also for a dtype, a memory format, a layout or a device
//   d  floating-point number      b  boolean              S  string
//   I, D, B  list of integers, of floating-point numbers, of booleans
//   s  i, d or b                  n  i or d
//   =  the kind of the previous argument
//   ~  a boolean if the previous argument is a boolean, else a number
//   ?x  x, or none                *  anything; the kernel does not read it
//   0  the first argument itself, returned by an in-place operator
//   >x  a number or boolean that the kernel replaces with
//         i, d, b   a value of this kind
//         n         a floating-point number if an earlier argument is one, else an integer
//         =         a value of the previous argument's kind
//         e         an element of the first argument, which is a tensor
#pragma once

#include <executorch/runtime/core/span.h>
#include <executorch/runtime/kernel/operator_registry.h>

namespace pilotlight::executorch_runtime {

// The kernels and signatures are not copied, so both must stay in memory.
struct SignedKernels {
  executorch::runtime::Span<const executorch::runtime::Kernel> kernels;
  const char*
      // NUL-terminated strings, one after another, in the order of `kernels`.
      signatures;
};

// Registers the image's kernels. Call it once; a second call aborts. If no other kernels are
// registered, the table itself is the registry and its length is not limited. Otherwise the table
// is copied, and this function aborts where register_kernels() would: no room, or a kernel
// registered twice.
void RegisterSignedKernels(const SignedKernels& table);

}  // namespace pilotlight::executorch_runtime
