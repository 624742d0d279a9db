# SPDX-License-Identifier: Apache-2.0
"""How deep the stack of an image can become, computed from compiler and linker output. See DESIGN.md."""

from pilotlight.stack.bound import Chain, StackBound, compute_bound, load_bound

__all__ = ["Chain", "StackBound", "compute_bound", "load_bound"]
