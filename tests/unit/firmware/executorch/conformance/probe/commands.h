// SPDX-License-Identifier: Apache-2.0
//
// What the probe is to do: a file with a command a line, then one blank and its argument.
//
//   trace OPERATOR     from here on the operator is one that prints its arguments
//   backends           registers the probe's backends
//   tensors, registries, platform     functions of the headers that no program needs
//   abort CASE         one that does not return
//   program FILE       everything with a .pte, with the traced operators
//   events FILE        what an event tracer sees
//   pools FILE         method pools that do not suffice
//   planned FILE       planned buffers that do not suffice
//   short FILE         data beside the program that is too short
//   kernels FILE       runs it with the registered kernels
#pragma once

#include <executorch/runtime/core/span.h>

namespace conformance {

// False when there is a line that is no command. `text` is split in place, and operators' names
// stay in it.
bool Obey(executorch::runtime::Span<char> text);

}  // namespace conformance
