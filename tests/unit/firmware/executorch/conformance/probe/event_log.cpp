// SPDX-License-Identifier: Apache-2.0
#include "event_log.h"

#include "transcript.h"
#include "values.h"

namespace conformance {

using executorch::runtime::AllocatorID;
using executorch::runtime::ArrayRef;
using executorch::runtime::ChainID;
using executorch::runtime::DebugHandle;
using executorch::runtime::DelegateDebugIdType;
using executorch::runtime::DelegateDebugIntId;
using executorch::runtime::EValue;
using executorch::runtime::EventTracerDebugLogLevel;
using executorch::runtime::EventTracerEntry;
using executorch::runtime::EventTracerFilterBase;
using executorch::runtime::LoggedEValueType;
using executorch::runtime::Result;
using executorch::runtime::etensor::Tensor;

EventLog::EventLog(EventTracerDebugLogLevel level) { set_event_tracer_debug_level(level); }

void EventLog::create_event_block(const char* name) { out << "event block " << name << "\n"; }

EventTracerEntry EventLog::start_profiling(const char* name, ChainID chain_id,
                                           DebugHandle debug_handle) {
  out << "event " << next_event_ << " start " << name << " " << chain_id << " " << debug_handle
      << " within " << current_chain_id() << " " << current_debug_handle() << "\n";
  return {next_event_++, chain_id, debug_handle, 0, DelegateDebugIdType::kNone};
}

EventTracerEntry EventLog::start_profiling_delegate(const char* name, DelegateDebugIntId index) {
  out << "event " << next_event_ << " start of delegate " << (name == nullptr ? "" : name) << " "
      << index << "\n";
  return {next_event_++, 0, 0, 0, DelegateDebugIdType::kInt};
}

void EventLog::end_profiling_delegate(EventTracerEntry entry, const void*,
                                      std::size_t metadata_len) {
  out << "event " << entry.event_id << " end of delegate " << metadata_len << "\n";
}

void EventLog::log_profiling_delegate(const char* name, DelegateDebugIntId index, et_timestamp_t,
                                      et_timestamp_t, const void*, std::size_t metadata_len) {
  out << "event delegate " << (name == nullptr ? "" : name) << " " << index << " " << metadata_len
      << "\n";
}

void EventLog::end_profiling(EventTracerEntry entry) {
  out << "event " << entry.event_id << " end\n";
}

void EventLog::track_allocation(AllocatorID id, std::size_t) {
  out << "event allocation " << id << "\n";
}

AllocatorID EventLog::track_allocator(const char* name) {
  out << "event allocator " << name << "\n";
  return 7;
}

Result<bool> EventLog::log_evalue(const EValue& evalue, LoggedEValueType evalue_type) {
  out << "event value " << static_cast<int>(evalue_type) << " ";
  Print(evalue);
  return true;
}

Result<bool> EventLog::log_intermediate_output_delegate(const char*, DelegateDebugIntId index,
                                                        const Tensor& output) {
  out << "event output of delegate " << index << " ";
  Print(output, Contents::kHash);
  return true;
}

Result<bool> EventLog::log_intermediate_output_delegate(const char*, DelegateDebugIntId index,
                                                        ArrayRef<Tensor> output) {
  out << "event outputs of delegate " << index << " " << output.size() << "\n";
  return true;
}

Result<bool> EventLog::log_intermediate_output_delegate(const char*, DelegateDebugIntId index,
                                                        const int& output) {
  out << "event int of delegate " << index << " " << output << "\n";
  return true;
}

Result<bool> EventLog::log_intermediate_output_delegate(const char*, DelegateDebugIntId index,
                                                        const bool& output) {
  out << "event bool of delegate " << index << " " << output << "\n";
  return true;
}

Result<bool> EventLog::log_intermediate_output_delegate(const char*, DelegateDebugIntId index,
                                                        const double& output) {
  out << "event double of delegate " << index << " " << output << "\n";
  return true;
}

void EventLog::set_delegation_intermediate_output_filter(EventTracerFilterBase* filter) {
  out << "event filter " << (filter != nullptr) << "\n";
}

}  // namespace conformance
