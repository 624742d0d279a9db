// SPDX-License-Identifier: Apache-2.0
//
// The commands of the probe: a file with one command per line, then one blank and its argument.
//
//   trace OPERATOR     from here on, this operator prints its arguments
//   backends           registers the probe's backends
//   tensors, registries, platform     functions of the headers that no program needs
//   abort CASE         a call that does not return
//   program FILE       every call that a .pte allows, with the traced operators
//   events FILE        what an event tracer sees
//   pools FILE         method pools that are too small
//   planned FILE       planned buffers that are too small
//   short FILE         data beside the program that is too short
//   kernels FILE       runs it with the registered kernels
#pragma once

#include <executorch/runtime/core/span.h>

namespace conformance {

// False if a line is not a command. `text` is split in place, and the operators' names stay in it.
bool Obey(executorch::runtime::Span<char> text);

}  // namespace conformance
