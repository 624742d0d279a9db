# SPDX-License-Identifier: Apache-2.0
"""Reads GNU ld's map: which object each byte of an output section came from.

In the map, input sections may overlap: merged strings do, and unwind tables have the size from
before the linker joined them. So a piece ends at the latest where the next one begins. Bytes that
no input section covers are a gap. The pieces of a section thus add up to exactly its size. Dropped
input sections do not count.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_NAME = r"[.\w][\w.$:*+-]*"
_OUTPUT = re.compile(rf"^(?P<name>{_NAME}) +(?P<address>0x[0-9a-f]+) +(?P<size>0x[0-9a-f]+)")
_INPUT = re.compile(rf"^ (?P<name>{_NAME}) +(?P<address>0x[0-9a-f]+) +(?P<size>0x[0-9a-f]+) (?P<object>\S.*)$")
# After a long name, the rest is on the next line.
_NAME_ALONE = re.compile(rf"^ ?({_NAME})$")
# The lines before it list dropped sections and memory regions.
_BEGIN = "\nLinker script and memory map\n"


@dataclass(frozen=True)
class Piece:
    """One object's part of an output section. name: its input section. path: "" for a gap."""

    name: str
    address: int
    size: int
    path: str


@dataclass
class OutputSection:
    """An output section, with its input sections as the map lists them."""

    name: str
    address: int
    size: int
    inputs: list[Piece] = field(default_factory=list)

    def pieces(self) -> Iterator[Piece]:
        """Yield the pieces that cover the section, in order and without overlap."""
        at, end = self.address, self.address + self.size
        inputs = sorted((piece for piece in self.inputs if piece.size), key=lambda piece: piece.address)
        for index, piece in enumerate(inputs):
            following = inputs[index + 1].address if index + 1 < len(inputs) else end
            stop = min(piece.address + piece.size, following, end)
            if piece.address > at:
                yield Piece("", at, piece.address - at, "")
            if stop > piece.address:
                yield Piece(piece.name, piece.address, stop - piece.address, piece.path)
                at = stop
        if at < end:
            yield Piece("", at, end - at, "")


def parse_map(text: str) -> dict[str, OutputSection]:
    """Return the output sections by name."""
    sections: dict[str, OutputSection] = {}
    section: OutputSection | None = None
    pending = ""
    for line in text.partition(_BEGIN)[2].splitlines():
        if _NAME_ALONE.match(line):
            pending = line
            continue
        line, pending = (pending + line if pending and line.startswith("    ") else line), ""
        if found := _OUTPUT.match(line):
            section = OutputSection(found["name"], int(found["address"], 16), int(found["size"], 16))
            sections[section.name] = section
        elif section is not None and (found := _INPUT.match(line)):
            piece = Piece(found["name"], int(found["address"], 16), int(found["size"], 16), found["object"])
            section.inputs.append(piece)
    return sections
