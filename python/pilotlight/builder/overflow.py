# SPDX-License-Identifier: Apache-2.0
"""Finds the largest parts of an overflowing region in the map, which the linker still writes."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from pilotlight.elf.linker_map import parse_map
from pilotlight.size.components import PADDING, component_of

_NAMED = 6
# Sections of codegen/templates/model.S.jinja, and their contents.
_OF_A_MODEL = re.compile(r"\.(?P<what>model|method_pool|tensor_arena)\.pilotlight_(model_)?(?P<name>\w+)")
_WORDS = {"model": "program", "method_pool": "method pool", "tensor_arena": "planned buffers and NPU scratch"}


def largest_in_region(folder: Path, start: int, end: int) -> list[tuple[str, int]]:
    """Return the largest parts of the memory from `start` to `end`; empty without a map."""
    maps = sorted(folder.glob("*.map"), key=lambda path: path.stat().st_mtime)
    if not maps:
        return []
    sums: Counter[str] = Counter()
    for section in parse_map(maps[-1].read_text(encoding="utf-8", errors="replace")).values():
        if start <= section.address < end:
            for piece in section.pieces():
                sums[_name(section.name, section.size, piece.name, piece.size, piece.path)] += piece.size
    del sums[PADDING]
    return sums.most_common(_NAMED)


def _name(section: str, section_size: int, piece: str, size: int, path: str) -> str:
    if found := _OF_A_MODEL.match(piece):
        return f"{found['name']}: {_WORDS[found['what']]}"
    if not path and size == section_size:
        return section.lstrip(".")  # Space that the linker script reserves.
    return component_of(path)
