# SPDX-License-Identifier: Apache-2.0
"""Loops in C that do the same as NumPy, but faster."""
