// SPDX-License-Identifier: Apache-2.0
//
// The error type of the whole image, and two early-return macros.
#pragma once

#include <cstdint>
#include <utility>

namespace pilotlight {

// Why an operation did not happen. Each value names what the *caller* can do
// about it; a new value is added only when some caller would act differently.
// The numbers travel in serial frames (firmware/protocol/SPEC.md): never renumber.
enum class [[nodiscard]] Status : std::uint8_t {
  kOk = 0,
  kTimeout = 1,      // Deadline passed; the operation may be retried after a reset.
  kBusy = 2,         // Resource owned by another caller; try again later.
  kBadModel = 3,     // The .pte or command stream is malformed. Retrying is useless.
  kUnsupported = 4,  // Well formed, but an operator or backend is not in this image.
  kNoMemory = 5,     // The arena passed in is too small.
  kMisaligned = 6,   // Address or size breaks a documented alignment rule.
  kDeviceFault = 7,  // The NPU reported a fault; it was reset.
  kBadArgument = 8,  // An index, size or state the callee's contract excludes.
  kWrongNpu = 9,     // The stream was compiled for another NPU configuration.
};

// A value, or the Status that explains why there is none; never kOk without a value. T must be
// default constructible, which keeps this class small enough to read.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)), status_(Status::kOk) {}  // NOLINT: implicit by design
  Result(Status status) : status_(status) {}                           // NOLINT: implicit by design
  Result(Result&&) = default;
  Result(const Result&) = delete;
  Result& operator=(const Result&) = delete;

  bool ok() const { return status_ == Status::kOk; }
  Status status() const { return status_; }
  T& value() { return value_; }

 private:
  T value_{};
  Status status_;
};

}  // namespace pilotlight

#define PILOTLIGHT_CONCAT_(a, b) a##b
#define PILOTLIGHT_CONCAT(a, b) PILOTLIGHT_CONCAT_(a, b)

// Returns early from the enclosing function when `expr` is not kOk.
#define PILOTLIGHT_TRY(expr)                                                                 \
  do {                                                                                       \
    if (const ::pilotlight::Status status_ = (expr); status_ != ::pilotlight::Status::kOk) { \
      return status_;                                                                        \
    }                                                                                        \
  } while (0)

// The same for a Result; on success, assigns the value to `lhs`.
#define PILOTLIGHT_TRY_ASSIGN(lhs, expr) \
  PILOTLIGHT_TRY_ASSIGN_(PILOTLIGHT_CONCAT(result_, __LINE__), lhs, expr)
#define PILOTLIGHT_TRY_ASSIGN_(result, lhs, expr) \
  auto result = (expr);                           \
  if (!result.ok()) return result.status();       \
  lhs = std::move(result.value())
