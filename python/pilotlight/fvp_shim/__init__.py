# SPDX-License-Identifier: Apache-2.0
"""Executables that stand in for Arm's FVP: its command line, our emulator. See DESIGN.md."""
