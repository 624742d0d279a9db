// SPDX-License-Identifier: Apache-2.0
//
// An event tracer that writes each call of a runtime to the transcript.
#pragma once

#include <executorch/runtime/core/event_tracer.h>

namespace conformance {

class EventLog final : public executorch::runtime::EventTracer {
 public:
  explicit EventLog(executorch::runtime::EventTracerDebugLogLevel level);

  void create_event_block(const char* name) override;
  executorch::runtime::EventTracerEntry start_profiling(
      const char* name, executorch::runtime::ChainID chain_id,
      executorch::runtime::DebugHandle debug_handle) override;
  executorch::runtime::EventTracerEntry start_profiling_delegate(
      const char* name, executorch::runtime::DelegateDebugIntId delegate_debug_index) override;
  void end_profiling_delegate(executorch::runtime::EventTracerEntry entry, const void* metadata,
                              std::size_t metadata_len) override;
  void log_profiling_delegate(const char* name,
                              executorch::runtime::DelegateDebugIntId delegate_debug_index,
                              et_timestamp_t start_time, et_timestamp_t end_time,
                              const void* metadata, std::size_t metadata_len) override;
  void end_profiling(executorch::runtime::EventTracerEntry entry) override;
  void track_allocation(executorch::runtime::AllocatorID id, std::size_t size) override;
  executorch::runtime::AllocatorID track_allocator(const char* name) override;
  executorch::runtime::Result<bool> log_evalue(
      const executorch::runtime::EValue& evalue,
      executorch::runtime::LoggedEValueType evalue_type) override;
  executorch::runtime::Result<bool> log_intermediate_output_delegate(
      const char* name, executorch::runtime::DelegateDebugIntId index,
      const executorch::runtime::etensor::Tensor& output) override;
  executorch::runtime::Result<bool> log_intermediate_output_delegate(
      const char* name, executorch::runtime::DelegateDebugIntId index,
      executorch::runtime::ArrayRef<executorch::runtime::etensor::Tensor> output) override;
  executorch::runtime::Result<bool> log_intermediate_output_delegate(
      const char* name, executorch::runtime::DelegateDebugIntId index, const int& output) override;
  executorch::runtime::Result<bool> log_intermediate_output_delegate(
      const char* name, executorch::runtime::DelegateDebugIntId index, const bool& output) override;
  executorch::runtime::Result<bool> log_intermediate_output_delegate(
      const char* name, executorch::runtime::DelegateDebugIntId index,
      const double& output) override;
  void set_delegation_intermediate_output_filter(
      executorch::runtime::EventTracerFilterBase* filter) override;

 private:
  std::int64_t next_event_ = 0;
};

}  // namespace conformance
