# SPDX-License-Identifier: Apache-2.0
#
# `pilotlight::runtime`: the ExecuTorch runtime of an image. App, delegate and kernels link this
# name and compile unchanged with either runtime.
#   ours     firmware/executorch
#   package  the package that find_package(executorch) finds: the wheel on the host, or a
#            cross-built upstream package (set executorch_DIR or CMAKE_PREFIX_PATH)

if(CMAKE_CROSSCOMPILING)
  set(default_runtime ours)
else()
  set(default_runtime package)
endif()
set(PILOTLIGHT_RUNTIME ${default_runtime} CACHE STRING "ExecuTorch runtime: ours or package")
set_property(CACHE PILOTLIGHT_RUNTIME PROPERTY STRINGS ours package)

if(PILOTLIGHT_RUNTIME STREQUAL ours)
  add_library(pilotlight::runtime ALIAS pilotlight_executorch)
elseif(PILOTLIGHT_RUNTIME STREQUAL package)
  find_package(executorch CONFIG REQUIRED GLOBAL HINTS "${PILOTLIGHT_EXECUTORCH_DIR}/lib/cmake/executorch")
  add_library(pilotlight_runtime_package INTERFACE)
  target_link_libraries(pilotlight_runtime_package INTERFACE executorch::runtime)
  add_library(pilotlight::runtime ALIAS pilotlight_runtime_package)
else()
  message(FATAL_ERROR "PILOTLIGHT_RUNTIME is '${PILOTLIGHT_RUNTIME}'\n  try: ours or package")
endif()
