# SPDX-License-Identifier: Apache-2.0
#
# Arm Corstone-320: its sources and link options. Included by ../CMakeLists.txt.
# What this port uses is the same hardware as on the Corstone-300, at addresses of board.toml: system
# counter and SYSTIMER0, CMSDK UART, NPU on the bus, and a core of Armv8.1-M with Helium, caches and MPU.
# The power policy unit of the NPU (secure, 0x5802A000) keeps its reset value: other ports for this FVP do
# not touch it either.
include("${CMAKE_CURRENT_SOURCE_DIR}/corstone300/platform.cmake")
