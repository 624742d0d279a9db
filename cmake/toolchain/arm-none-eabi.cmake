# SPDX-License-Identifier: Apache-2.0
#
# GCC for Cortex-M55 and Cortex-M85 with Helium (MVE) and hardware floating point.

set(CMAKE_SYSTEM_NAME Generic)
# cmake/board.cmake sets the board's core. CMake's own test programs, and a project that names this file
# itself, do not know the board; every core here runs code for a Cortex-M55.
set(pilotlight_core cortex-m55)
if(PILOTLIGHT_BOARD_CORE)
  set(pilotlight_core "${PILOTLIGHT_BOARD_CORE}")
endif()
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES PILOTLIGHT_BOARD_CORE)
set(CMAKE_SYSTEM_PROCESSOR ${pilotlight_core})

find_program(PILOTLIGHT_ARM_GXX arm-none-eabi-g++)
if(NOT PILOTLIGHT_ARM_GXX)
  message(FATAL_ERROR "arm-none-eabi-g++ is not on PATH\n"
    "  try: apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi libstdc++-arm-none-eabi-newlib")
endif()
get_filename_component(pilotlight_arm_bin "${PILOTLIGHT_ARM_GXX}" DIRECTORY)

set(CMAKE_C_COMPILER "${pilotlight_arm_bin}/arm-none-eabi-gcc")
set(CMAKE_ASM_COMPILER "${pilotlight_arm_bin}/arm-none-eabi-gcc")
set(CMAKE_CXX_COMPILER "${pilotlight_arm_bin}/arm-none-eabi-g++")

# GCC knows the Cortex-M85 from version 13 on. Its instructions are those of the Cortex-M55, and pointer
# authentication, which we do not use. Only the order of instructions differs.
if(NOT pilotlight_core STREQUAL "cortex-m55")
  execute_process(COMMAND "${CMAKE_C_COMPILER}" -mcpu=${pilotlight_core} -E -x c /dev/null
    RESULT_VARIABLE pilotlight_unknown_core OUTPUT_QUIET ERROR_QUIET)
  if(pilotlight_unknown_core)
    set(pilotlight_core cortex-m55)
  endif()
endif()
# -mcpu=cortex-m55 alone selects Armv8.1-M with MVE integer and float, half and double precision.
set(pilotlight_cpu_flags "-mcpu=${pilotlight_core} -mthumb -mfloat-abi=hard")
set(CMAKE_C_FLAGS_INIT "${pilotlight_cpu_flags} -ffunction-sections -fdata-sections")
set(CMAKE_ASM_FLAGS_INIT "${pilotlight_cpu_flags}")
# Destructors of static objects never run, and the guards of static locals need no locks.
set(CMAKE_CXX_FLAGS_INIT
  "${CMAKE_C_FLAGS_INIT} -fno-use-cxa-atexit -fno-threadsafe-statics -fno-unwind-tables -fno-asynchronous-unwind-tables")
# Both warnings concern page permissions, which do not exist without an operating system.
set(CMAKE_EXE_LINKER_FLAGS_INIT
  "${pilotlight_cpu_flags} -nostartfiles -specs=nano.specs -Wl,--gc-sections -Wl,--no-warn-rwx-segments -Wl,--no-warn-execstack")

# CMake's test program cannot be linked before the board's linker script is known.
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)

set(CMAKE_EXECUTABLE_SUFFIX .elf)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
# Header-only libraries (FlatBuffers) are host packages of Debian, so no sysroot is searched.
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE NEVER)
