// SPDX-License-Identifier: Apache-2.0
//
// Refusals: one log line that says what is wrong, and the error. ET_LOG takes four times the code,
// because it also passes file, function, line and time at each of some hundred places. Private to
// firmware/executorch.
#pragma once

#include <cstddef>
#include <cstdint>

#include <executorch/runtime/core/error.h>

namespace pilotlight::executorch_runtime {

// The part of a program that a refusal is about. The log line begins with the place: "forward,
// value 3: ".
struct Place {
  const char* method;  // Null: the program itself.
  const char* what;
  std::size_t index;
};

// Logs the message at level Error and returns `error`.
[[gnu::format(printf, 2, 3)]] executorch::runtime::Error Refuse(executorch::runtime::Error error,
                                                                const char* format, ...);
[[gnu::format(printf, 3, 4)]] executorch::runtime::Error RefuseAt(const Place& place,
                                                                  executorch::runtime::Error error,
                                                                  const char* format, ...);

// The number of lines at level Error so far, including those of kernels and delegates. A caller
// that reports a failure compares it with an earlier number, and logs a line of its own only if
// there was none.
std::uint32_t ErrorLines();

// While this object exists, every error line begins with the instruction: "Instruction 0:3: ".
class RunningInstruction {
 public:
  RunningInstruction(std::size_t chain, std::size_t index);
  RunningInstruction(const RunningInstruction&) = delete;
  RunningInstruction& operator=(const RunningInstruction&) = delete;
  ~RunningInstruction();

  std::size_t chain;
  std::size_t index;

 private:
  const RunningInstruction* outer_;
};

}  // namespace pilotlight::executorch_runtime

// Expressions of type Error. If the build logs no errors, the text of these expressions is not in
// the image.
#if PILOTLIGHT_EXECUTORCH_LOG_ERRORS
#define PILOTLIGHT_REFUSE(error, ...) ::pilotlight::executorch_runtime::Refuse(error, __VA_ARGS__)
#define PILOTLIGHT_REFUSE_UNLESS_SAID(lines_before, error, ...)     \
  (::pilotlight::executorch_runtime::ErrorLines() != (lines_before) \
       ? (error)                                                    \
       : PILOTLIGHT_REFUSE(error, __VA_ARGS__))
#define PILOTLIGHT_REFUSE_AT(place, error, ...) \
  ::pilotlight::executorch_runtime::RefuseAt(place, error, __VA_ARGS__)
#else
#define PILOTLIGHT_REFUSE(error, ...) (error)
#define PILOTLIGHT_REFUSE_UNLESS_SAID(lines_before, error, ...) ((void)(lines_before), (error))
#define PILOTLIGHT_REFUSE_AT(place, error, ...) ((void)(place), (error))
#endif
