# SPDX-License-Identifier: Apache-2.0
"""Code and RAM of an image by component, from the map that python/pilotlight/size reads."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from elftools.elf.elffile import ELFFile

from pilotlight.elf.linker_map import parse_map
from pilotlight.size.components import PADDING, RUNTIME, VERIFIER, component_of

OF_THE_RUNTIME = (RUNTIME, VERIFIER)

# Output sections of firmware/platform/link/image.ld. The method pool depends on the model and is
# counted separately.
CODE = (".vectors", ".text", ".rodata", ".ARM.exidx")
DATA = (".data", ".bss", ".noinit")

# Inline functions of ExecuTorch's headers. The compiler puts these functions into any object that
# uses them.
_EXECUTORCH = re.compile(r"\._ZT?[NVIS]?K?N?10executorch")


@dataclass(frozen=True)
class Use:
    """Bytes of one component."""

    code: int
    ram: int


def by_component(linker_map: Path) -> dict[str, Use]:
    """Return each component's bytes of code (with constants) and of RAM, largest code first."""
    code: Counter[str] = Counter()
    ram: Counter[str] = Counter()
    for section in parse_map(linker_map.read_text(encoding="utf-8")).values():
        counter = code if section.name in CODE else ram if section.name in DATA else None
        if counter is not None:
            for piece in section.pieces():
                counter[component_of(piece.path)] += piece.size
    names = sorted({*code, *ram}, key=lambda name: (name == PADDING, -code[name]))
    return {name: Use(code[name], ram[name]) for name in names}


def runtime_code_elsewhere(linker_map: Path) -> int:
    """Return the bytes of ExecuTorch's inline functions in components other than the runtime."""
    sections = parse_map(linker_map.read_text(encoding="utf-8"))
    return sum(
        piece.size
        for name in CODE
        if name in sections
        for piece in sections[name].pieces()
        if component_of(piece.path) not in OF_THE_RUNTIME and _EXECUTORCH.search(piece.name)
    )


def sections_of(elf: Path) -> dict[str, int]:
    """Return the size in bytes of every allocated output section."""
    with elf.open("rb") as file:
        return {s.name: s["sh_size"] for s in ELFFile(file).iter_sections() if s["sh_flags"] & 2 and s["sh_size"]}
