# SPDX-License-Identifier: Apache-2.0
#
# What every source of ours is compiled with: `pilotlight::build_flags`.

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE MinSizeRel CACHE STRING "" FORCE)
endif()
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

add_library(pilotlight_build_flags INTERFACE)
add_library(pilotlight::build_flags ALIAS pilotlight_build_flags)
target_compile_features(pilotlight_build_flags INTERFACE c_std_11 cxx_std_17)
target_compile_options(pilotlight_build_flags INTERFACE
  -Wall -Wextra -Wconversion -Wshadow -Werror
  -ffunction-sections -fdata-sections
  # Same objects wherever the checkout lies: no machine path in an image.
  "-ffile-prefix-map=${CMAKE_SOURCE_DIR}/="
  $<$<COMPILE_LANGUAGE:CXX>:-fno-exceptions -fno-rtti>)
