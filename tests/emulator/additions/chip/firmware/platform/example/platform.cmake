# SPDX-License-Identifier: Apache-2.0
#
# A chip whose console is not driven by interrupts: its sources and link options. It uses the core and
# the timer of the Corstone-300. Included by ../CMakeLists.txt.
target_sources(pilotlight_port PRIVATE
  corstone300/cache.cpp
  corstone300/clock.cpp
  corstone300/port.cpp
  npu/bus_port.cpp
)
target_sources(pilotlight_platform PRIVATE
  corstone300/fault.cpp
  corstone300/libc_hooks.cpp
  corstone300/mpu.cpp
  corstone300/start.cpp
  corstone300/system.cpp
  corstone300/vectors.cpp
  example/console.cpp
)
set(image_script "${CMAKE_CURRENT_SOURCE_DIR}/link/image.ld")
target_link_options(pilotlight_platform INTERFACE
  "-T${image_script}" "-L${PILOTLIGHT_BOARD_GENERATED_DIR}" "-Wl,--undefined=_malloc_r" "-Wl,--build-id=sha1")
set_property(TARGET pilotlight_platform APPEND PROPERTY INTERFACE_LINK_DEPENDS
  "${image_script}" "${PILOTLIGHT_BOARD_GENERATED_DIR}/memory.ld")
