# SPDX-License-Identifier: Apache-2.0
#
# What every source of ours is compiled with: `pilotlight::build_flags`.
include_guard(GLOBAL)
include("${CMAKE_CURRENT_LIST_DIR}/object_cache.cmake")

# Somebody else's project keeps its own choice, and that it made none.
if(PROJECT_IS_TOP_LEVEL AND PROJECT_NAME MATCHES "^pilotlight")
  if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE MinSizeRel CACHE STRING "" FORCE)
  endif()
  set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
endif()

# What another compiler, or somebody else's own options, warn of in our sources is not theirs to mend, and must not stop
# them where their warnings are errors.
if(PILOTLIGHT_IS_GUEST)
  set(pilotlight_warnings -w)
else()
  set(pilotlight_warnings -Wall -Wextra -Wconversion -Wshadow -Werror)
endif()

cmake_path(GET CMAKE_CURRENT_LIST_DIR PARENT_PATH pilotlight_root)
add_library(pilotlight_build_flags INTERFACE)
add_library(pilotlight::build_flags ALIAS pilotlight_build_flags)
target_compile_features(pilotlight_build_flags INTERFACE c_std_11 cxx_std_17)
target_compile_options(pilotlight_build_flags INTERFACE
  ${pilotlight_warnings}
  -ffunction-sections -fdata-sections
  "$<$<CONFIG:>:-Os;-DNDEBUG>"
  # Names and lines for `pilotlight fault`; they stay in the ELF file and take no memory of the board.
  $<$<BOOL:${CMAKE_CROSSCOMPILING}>:-g>
  # Each function's stack use and callees, beside its object file, for python/pilotlight/stack.
  $<$<BOOL:${CMAKE_CROSSCOMPILING}>:-fcallgraph-info=su>
  # Same objects wherever the checkout lies: no machine path in an image, and checkouts share objects.
  "-ffile-prefix-map=${pilotlight_root}/="
  # Nor where it is built. The last map that fits counts, and a build folder may lie in the checkout.
  "-ffile-prefix-map=${CMAKE_BINARY_DIR}=build"
  # Nor where the virtual environment lies.
  "-ffile-prefix-map=${PILOTLIGHT_EXECUTORCH_DIR}=executorch"
  $<$<COMPILE_LANGUAGE:CXX>:-fno-exceptions -fno-rtti>)
