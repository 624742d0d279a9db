# SPDX-License-Identifier: Apache-2.0
#
# The probe without a machine to run on: conformance_probe_sources.
set(conformance_probe_sources)
foreach(source
    arena backends commands event_log metadata method_calls method_memory named_data platform_calls
    program_calls registry_calls tensor_calls test_tensor tracing_kernels transcript values)
  list(APPEND conformance_probe_sources ${CMAKE_CURRENT_LIST_DIR}/${source}.cpp)
endforeach()
