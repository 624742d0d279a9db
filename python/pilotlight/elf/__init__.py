# SPDX-License-Identifier: Apache-2.0
"""Reads the linked ELF file of an image. See DESIGN.md."""

from pilotlight.elf.demangle import demangle
from pilotlight.elf.image import Image, Section, Symbol
from pilotlight.elf.unwinding import UnwindRow

__all__ = ["Image", "Section", "Symbol", "UnwindRow", "demangle"]
