# SPDX-License-Identifier: Apache-2.0
#
# A Linux process: its sources and link options. Included by ../CMakeLists.txt.
target_sources(pilotlight_port PRIVATE
  host/clock.cpp
  host/mailbox_line.cpp
  host/port.cpp
  host/shared_memory.cpp
  npu/mailbox_port.cpp
)
target_sources(pilotlight_platform PRIVATE
  host/console.cpp
  host/system.cpp
)
target_link_options(pilotlight_platform INTERFACE "-Wl,-T,${CMAKE_CURRENT_SOURCE_DIR}/link/host.ld")
set_property(TARGET pilotlight_platform APPEND PROPERTY INTERFACE_LINK_DEPENDS
  "${CMAKE_CURRENT_SOURCE_DIR}/link/host.ld")
