// SPDX-License-Identifier: Apache-2.0
//
// pilotlight.h for C++: a model that closes itself, and tensors as typed spans. It
// only wraps the C API, and the contract of pilotlight.h holds here too.
//
//     static pilotlight::InferenceModel digits;
//     if (digits.Open(pilotlight_model_digits) != pilotlight::Status::kOk) ...
//     Span<std::int8_t> pixels = digits.Input<std::int8_t>(0);
#pragma once

#include <cstdint>

#include "pilotlight/base/span.h"
#include "pilotlight/base/status.h"
#include "pilotlight/pilotlight.h"

namespace pilotlight {

namespace internal {

template <typename T>
inline constexpr int kDtypeOf = -1;
template <>
inline constexpr int kDtypeOf<std::uint8_t> = PILOTLIGHT_UINT8;
template <>
inline constexpr int kDtypeOf<std::int8_t> = PILOTLIGHT_INT8;
template <>
inline constexpr int kDtypeOf<std::int16_t> = PILOTLIGHT_INT16;
template <>
inline constexpr int kDtypeOf<std::int32_t> = PILOTLIGHT_INT32;
template <>
inline constexpr int kDtypeOf<std::int64_t> = PILOTLIGHT_INT64;
template <>
inline constexpr int kDtypeOf<float> = PILOTLIGHT_FLOAT32;
template <>
inline constexpr int kDtypeOf<bool> = PILOTLIGHT_BOOL;

}  // namespace internal

inline Status Initialise(const pilotlight_options_t& options = {}) {
  return static_cast<Status>(pilotlight_init(&options));
}

class InferenceModel {
 public:
  constexpr InferenceModel() = default;
  ~InferenceModel() { Close(); }
  InferenceModel(const InferenceModel&) = delete;
  InferenceModel& operator=(const InferenceModel&) = delete;

  Status Open(const pilotlight_model_descriptor_t& descriptor) {
    return static_cast<Status>(pilotlight_open(&model_, &descriptor));
  }
  void Close() { pilotlight_close(&model_); }

  Status Run(std::uint32_t timeout_us) {
    return static_cast<Status>(pilotlight_run(&model_, timeout_us));
  }

  Status ResetState() { return static_cast<Status>(pilotlight_reset_state(&model_)); }

  Status ResetTies() { return static_cast<Status>(pilotlight_reset_ties(&model_)); }
  Status CommitTies(std::uint32_t slot) {
    return static_cast<Status>(pilotlight_commit_ties(&model_, slot));
  }

  // Elements of input or output `index`. Empty if there is no such tensor, or if its
  // element type is not T.
  template <typename T>
  Span<T> Input(std::uint32_t index) {
    return Elements<T>(pilotlight_input(&model_, index));
  }
  template <typename T>
  Span<const T> Output(std::uint32_t index) const {
    return Elements<T>(pilotlight_output(&model_, index));
  }

  const char* failure() const { return pilotlight_failure(&model_); }
  pilotlight_statistics_t stats() const { return pilotlight_stats(&model_); }

 private:
  template <typename T>
  static Span<T> Elements(const pilotlight_tensor_t& tensor) {
    static_assert(internal::kDtypeOf<T> >= 0, "no tensor has elements of this type");
    if (tensor.info == nullptr || tensor.info->dtype != internal::kDtypeOf<T>) return {};
    return {static_cast<T*>(tensor.data), tensor.size_bytes / sizeof(T)};
  }

  pilotlight_model_t model_{};
};

}  // namespace pilotlight
