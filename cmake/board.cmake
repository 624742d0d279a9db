# SPDX-License-Identifier: Apache-2.0
#
# Loads the board. Include it before project(), because it chooses the toolchain file.
#
#   in   BOARD               a name under boards/, or the path of a board's folder
#        PILOTLIGHT_PYTHON   the interpreter (default: the repository's .venv, else python3)
#   out  PILOTLIGHT_BOARD_*  see python/pilotlight/boards/build_files.py, cmake_facts()
#        PILOTLIGHT_BOARD_GENERATED_DIR  folder of memory.ld and pilotlight/board_config.h
#        CMAKE_TOOLCHAIN_FILE            for a Cortex-M board, unless one is set

get_filename_component(PILOTLIGHT_ROOT "${CMAKE_CURRENT_LIST_DIR}/.." ABSOLUTE)

if(NOT PILOTLIGHT_PYTHON)
  if(EXISTS "${PILOTLIGHT_ROOT}/.venv/bin/python3")
    set(PILOTLIGHT_PYTHON "${PILOTLIGHT_ROOT}/.venv/bin/python3")
  else()
    find_program(PILOTLIGHT_PYTHON python3 REQUIRED)
  endif()
endif()
set(PILOTLIGHT_PYTHON "${PILOTLIGHT_PYTHON}" CACHE FILEPATH "Python that has the pilotlight package's dependencies")

set(PILOTLIGHT_BOARD_GENERATED_DIR "${CMAKE_BINARY_DIR}/board")

execute_process(
  COMMAND "${CMAKE_COMMAND}" -E env "PYTHONPATH=${PILOTLIGHT_ROOT}/python"
    "${PILOTLIGHT_PYTHON}" -m pilotlight.boards generate "${BOARD}" --out "${PILOTLIGHT_BOARD_GENERATED_DIR}"
  RESULT_VARIABLE pilotlight_result
  ERROR_VARIABLE pilotlight_error
)
if(NOT pilotlight_result EQUAL 0)
  message(FATAL_ERROR "BOARD=${BOARD}: ${pilotlight_error}")
endif()
include("${PILOTLIGHT_BOARD_GENERATED_DIR}/board.cmake")

file(GLOB board_generator CONFIGURE_DEPENDS "${PILOTLIGHT_ROOT}/python/pilotlight/boards/*.py")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
  "${PILOTLIGHT_BOARD_FOLDER}/board.toml" ${board_generator})

# A build folder keeps the compiler that it was configured with, so its core cannot change.
if(DEFINED CACHE{PILOTLIGHT_CONFIGURED_CORE} AND NOT PILOTLIGHT_CONFIGURED_CORE STREQUAL PILOTLIGHT_BOARD_CORE)
  message(FATAL_ERROR "this build folder was configured for ${PILOTLIGHT_CONFIGURED_CORE}, "
    "and ${PILOTLIGHT_BOARD_NAME} needs ${PILOTLIGHT_BOARD_CORE}: delete it, or use another one")
endif()
set(PILOTLIGHT_CONFIGURED_CORE "${PILOTLIGHT_BOARD_CORE}" CACHE INTERNAL "")

if(NOT CMAKE_TOOLCHAIN_FILE AND NOT PILOTLIGHT_BOARD_CORE STREQUAL "host")
  set(CMAKE_TOOLCHAIN_FILE "${PILOTLIGHT_ROOT}/cmake/toolchain/arm-none-eabi.cmake"
    CACHE FILEPATH "Chosen by cmake/board.cmake from the board's core")
endif()
