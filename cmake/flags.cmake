# SPDX-License-Identifier: Apache-2.0
#
# `pilotlight::build_flags`: the compiler options of all our sources.
include_guard(GLOBAL)
include("${CMAKE_CURRENT_LIST_DIR}/object_cache.cmake")
include("${CMAKE_CURRENT_LIST_DIR}/join_sources.cmake")

# Only in our own project. Another project keeps its own build type, also if it has none.
if(PROJECT_IS_TOP_LEVEL AND PROJECT_NAME MATCHES "^pilotlight")
  if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE MinSizeRel CACHE STRING "" FORCE)
  endif()
  set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
endif()

# The compiler and options of another project may cause warnings in our sources. Its developers
# cannot fix them, and their build must not fail if warnings are errors there.
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
  # Without it, GCC for Arm notes that it passes some arguments otherwise than GCC 6 did. The object
  # cache keeps no compilation with messages.
  $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-psabi>
  "$<$<CONFIG:>:-Os;-DNDEBUG>"
  # Names and lines for `pilotlight fault`. They stay in the ELF file and take no board memory.
  $<$<BOOL:${CMAKE_CROSSCOMPILING}>:-g>
  # Writes stack use and callees of each function beside its object, for python/pilotlight/stack.
  $<$<BOOL:${CMAKE_CROSSCOMPILING}>:-fcallgraph-info=su>
  # Objects do not depend on the checkout's path: images contain no path of this machine, and
  # checkouts share objects.
  "-ffile-prefix-map=${pilotlight_root}/="
  # Nor on the build folder's path. The last map that matches counts, and a build folder may be
  # inside the checkout.
  "-ffile-prefix-map=${CMAKE_BINARY_DIR}=build"
  # Nor on the path of the virtual environment.
  "-ffile-prefix-map=${PILOTLIGHT_EXECUTORCH_DIR}=executorch"
  $<$<COMPILE_LANGUAGE:CXX>:-fno-exceptions -fno-rtti>)
