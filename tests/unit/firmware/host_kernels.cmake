# SPDX-License-Identifier: Apache-2.0
#
# Our runtime and all kernels for tests on the host, in a project of its own. Every such project
# compiles them alike, so that they share objects (python/pilotlight/builder/object_cache.py).
#
#   root       the checkout, set by the caller
#   SANITIZE   what -fsanitize= is given for the kernels
set(SANITIZE "undefined" CACHE STRING "What -fsanitize= is given")
set(RUNTIME_SOURCES ${root}/firmware/executorch CACHE PATH "Of our runtime; test_runtime_mutations.py builds others")
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
include(${root}/cmake/python.cmake)
include(${root}/cmake/flags.cmake)
# The wheel's binary was built with this definition, and layouts in its headers depend on it.
add_compile_definitions(ET_EVENT_TRACER_ENABLED)

add_subdirectory(${RUNTIME_SOURCES} firmware/executorch)
add_library(pilotlight::runtime ALIAS pilotlight_executorch)
add_subdirectory(${root}/firmware/kernels firmware/kernels)
# A trap raises a signal, and needs no library of the sanitizer.
target_compile_options(pilotlight_kernels PRIVATE
  -fsanitize=${SANITIZE} -fno-sanitize-recover=all -fsanitize-undefined-trap-on-error)
