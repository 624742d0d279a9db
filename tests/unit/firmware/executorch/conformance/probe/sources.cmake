# SPDX-License-Identifier: Apache-2.0
#
# conformance_probe_sources: the probe's sources without those for a machine.
set(conformance_probe_sources)
foreach(source
    arena backends commands event_log metadata method_calls method_memory named_data platform_calls
    program_calls registry_calls tensor_calls test_tensor tracing_kernels transcript values)
  list(APPEND conformance_probe_sources ${CMAKE_CURRENT_LIST_DIR}/${source}.cpp)
endforeach()
