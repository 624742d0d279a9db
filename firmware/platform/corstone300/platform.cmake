# SPDX-License-Identifier: Apache-2.0
#
# Arm Corstone-300: its sources and link options. Included by ../CMakeLists.txt.
target_sources(pilotlight_port PRIVATE
  corstone300/cache.cpp
  corstone300/clock.cpp
  corstone300/port.cpp
  corstone300/uart.cpp
)
target_sources(pilotlight_platform PRIVATE
  corstone300/console.cpp
  corstone300/fault.cpp
  corstone300/libc_hooks.cpp
  corstone300/mpu.cpp
  corstone300/start.cpp
  corstone300/system.cpp
  corstone300/vectors.cpp
)
if(PILOTLIGHT_BOARD_NPU_PORT STREQUAL "mailbox")
  target_sources(pilotlight_port PRIVATE npu/mailbox_port.cpp corstone300/mailbox_line.cpp)
else()
  target_sources(pilotlight_port PRIVATE npu/bus_port.cpp)
endif()

# A board that needs something odd brings its own image.ld next to its board.toml.
set(pilotlight_image_script "${CMAKE_CURRENT_SOURCE_DIR}/link/image.ld")
if(EXISTS "${PILOTLIGHT_BOARD_FOLDER}/image.ld")
  set(pilotlight_image_script "${PILOTLIGHT_BOARD_FOLDER}/image.ld")
endif()
target_link_options(pilotlight_platform INTERFACE
  "-T${pilotlight_image_script}" "-L${PILOTLIGHT_BOARD_GENERATED_DIR}"
  # Needed because libc refers to its hooks after the linker has passed this archive.
  "-Wl,--undefined=_malloc_r"
  # Names the object file that brings the library's own allocator. Silent in other images.
  "-Wl,--trace-symbol=mallinfo,--trace-symbol=malloc_stats,--trace-symbol=mallopt,--trace-symbol=sbrk"
  # A fault dump names its image by this id.
  "-Wl,--build-id=sha1")
set_property(TARGET pilotlight_platform APPEND PROPERTY INTERFACE_LINK_DEPENDS
  "${pilotlight_image_script}" "${PILOTLIGHT_BOARD_GENERATED_DIR}/memory.ld")
