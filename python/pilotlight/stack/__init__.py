# SPDX-License-Identifier: Apache-2.0
"""Bounds the stack use of an image from compiler and linker output. See DESIGN.md."""

from pilotlight.stack.bound import Chain, StackBound, compute_bound, load_bound

__all__ = ["Chain", "StackBound", "compute_bound", "load_bound"]
