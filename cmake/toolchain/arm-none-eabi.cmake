# SPDX-License-Identifier: Apache-2.0
#
# GCC for Cortex-M55 with Helium (MVE) and hardware floating point.

set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR cortex-m55)

find_program(PILOTLIGHT_ARM_GXX arm-none-eabi-g++)
if(NOT PILOTLIGHT_ARM_GXX)
  message(FATAL_ERROR "arm-none-eabi-g++ is not on PATH\n"
    "  try: apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi libstdc++-arm-none-eabi-newlib")
endif()
get_filename_component(pilotlight_arm_bin "${PILOTLIGHT_ARM_GXX}" DIRECTORY)

set(CMAKE_C_COMPILER "${pilotlight_arm_bin}/arm-none-eabi-gcc")
set(CMAKE_ASM_COMPILER "${pilotlight_arm_bin}/arm-none-eabi-gcc")
set(CMAKE_CXX_COMPILER "${pilotlight_arm_bin}/arm-none-eabi-g++")

# -mcpu=cortex-m55 alone selects Armv8.1-M with MVE integer and float, half and double precision.
set(pilotlight_cpu_flags "-mcpu=cortex-m55 -mthumb -mfloat-abi=hard")
set(CMAKE_C_FLAGS_INIT "${pilotlight_cpu_flags} -ffunction-sections -fdata-sections")
set(CMAKE_ASM_FLAGS_INIT "${pilotlight_cpu_flags}")
# Constructors of static objects run; their destructors never do, and their guards need no locks.
set(CMAKE_CXX_FLAGS_INIT
  "${CMAKE_C_FLAGS_INIT} -fno-use-cxa-atexit -fno-threadsafe-statics -fno-unwind-tables -fno-asynchronous-unwind-tables")
# Neither warning means anything without an operating system: there are no page permissions.
set(CMAKE_EXE_LINKER_FLAGS_INIT
  "${pilotlight_cpu_flags} -nostartfiles -specs=nano.specs -Wl,--gc-sections -Wl,--no-warn-rwx-segments -Wl,--no-warn-execstack")

# There is nothing to link a test program against before the board's linker script is known.
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)

set(CMAKE_EXECUTABLE_SUFFIX .elf)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
# Header-only libraries (FlatBuffers) are Debian's host packages: nothing is looked up in a sysroot.
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE NEVER)
