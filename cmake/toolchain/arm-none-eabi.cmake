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
