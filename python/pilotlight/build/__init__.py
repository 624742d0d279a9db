# SPDX-License-Identifier: Apache-2.0
"""From a board and a model to firmware.elf: what `west build` and CMake call. See DESIGN.md."""
