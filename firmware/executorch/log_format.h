// SPDX-License-Identifier: Apache-2.0
//
// printf for log messages. newlib-nano's own does not know %zu, which the
// runtime's messages are full of: it prints the letters and takes every later
// argument for the one before. Private to firmware/executorch.
#pragma once

#include <cstdarg>
#include <cstddef>

namespace pilotlight::executorch_runtime {

// Writes at most `size_bytes - 1` characters and a terminator; returns how many
// were written. A message that does not fit ends in '$'. `size_bytes` >= 2.
//
// Conversions: d i u x X p c s f a g e %, flags 0 and -, width, precision (of s),
// lengths hh h l ll z t j. Floating point is printed as '?': no message of the
// runtime has any, and it would take half as much code again. Any other conversion ends the message
// at its place: its argument's size is unknown.
[[gnu::format(printf, 3, 0)]] std::size_t FormatLog(char* out, std::size_t size_bytes,
                                                    const char* format, va_list args);

}  // namespace pilotlight::executorch_runtime
