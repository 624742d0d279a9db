# SPDX-License-Identifier: Apache-2.0
"""Builds firmware.elf from a board and models, for `west build` and CMake. See DESIGN.md."""
