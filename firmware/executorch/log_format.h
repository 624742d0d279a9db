// SPDX-License-Identifier: Apache-2.0
//
// printf for log messages. newlib-nano's printf does not know %zu, which the runtime's messages
// often use: it prints the letters, and every later conversion gets the wrong argument. Private to
// firmware/executorch.
#pragma once

#include <cstdarg>
#include <cstddef>

namespace pilotlight::executorch_runtime {

// Writes at most `size_bytes - 1` characters and a terminator; returns the number of characters. A
// message that does not fit ends in '$'. `size_bytes` must be at least 2.
//
// Conversions: d i u x X p c s f a g e %. Flags: 0 and -. Width; precision of s. Lengths: hh h l ll
// z t j. Floating-point numbers are printed as '?': no message of the runtime has any, and they
// would need half as much code again. Any other conversion ends the message, because the size of
// its argument is unknown.
[[gnu::format(printf, 3, 0)]] std::size_t FormatLog(char* out, std::size_t size_bytes,
                                                    const char* format, va_list args);

}  // namespace pilotlight::executorch_runtime
