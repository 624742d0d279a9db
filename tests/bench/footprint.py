# SPDX-License-Identifier: Apache-2.0
"""Flash and RAM of an image by component, from the linker's map.

A component is an archive or an object folder; what the linker dropped does not count. Every byte of an output section
belongs to one component: an input section ends where the next one begins at the latest (merged strings overlap in the
map, and unwind tables stand there with the size they had before the linker joined them), and what no input section
covers is padding. So the components' sum is the section's size exactly.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from elftools.elf.elffile import ELFFile

PADDING = "padding"
OTHER = "other"
RUNTIME = "runtime core"

# First match wins; the pattern is searched in the object's path as the map prints it.
COMPONENTS = (
    (RUNTIME, r"libpilotlight_executorch\.a"),
    ("kernels", r"libpilotlight_kernels\.a|generated/(operators|selected)"),
    ("delegate", r"libpilotlight_ethos_u\.a\((backend|blob)"),
    ("driver", r"libpilotlight_ethos_u\.a"),
    ("model API", r"libpilotlight_model\.a|pilotlight_linked_models"),
    ("protocol", r"libpilotlight_protocol\.a"),
    ("platform", r"libpilotlight_platform\.a|firmware/platform"),
    ("app", r"firmware/apps|libpilotlight_app"),
    (
        "C and C++ library",
        r"/lib(c|c_nano|m|gcc|stdc\+\+|stdc\+\+_nano|supc\+\+|nosys|rdimon)[^/]*\.a|crt[0in]|crtbegin|crtend",
    ),
)

# Output sections of firmware/platform/link/image.ld. The method pool is the model's, and counted by itself.
CODE = (".vectors", ".text", ".rodata", ".ARM.exidx")
DATA = (".data", ".bss", ".noinit")

_OUTPUT = re.compile(r"^(?P<name>\.[\w.]+) +(?P<address>0x[0-9a-f]+) +(?P<size>0x[0-9a-f]+)")
_INPUT = re.compile(
    r"^ (?P<name>\.[\w.$:*-]+|COMMON) +(?P<address>0x[0-9a-f]+) +(?P<size>0x[0-9a-f]+) (?P<object>\S.*)$"
)
# A long name pushes the rest to the next line.
_NAME_ALONE = re.compile(r"^ ?(\.[\w.$:*-]+|COMMON)$")
# Inline functions of ExecuTorch's headers, which the compiler leaves in whatever object uses them.
_EXECUTORCH = re.compile(r"\._ZT?[NVIS]?K?N?10executorch")


@dataclass(frozen=True)
class Piece:
    """What one object contributes to an output section."""

    name: str
    address: int
    size: int
    path: str


@dataclass
class Section:
    name: str
    address: int
    size: int
    inputs: list[Piece] = field(default_factory=list)

    def pieces(self) -> Iterator[Piece]:
        """Yield what covers the section, without overlap and in order; gaps have the path ""."""
        at, end = self.address, self.address + self.size
        inputs = sorted((piece for piece in self.inputs if piece.size), key=lambda piece: piece.address)
        for index, piece in enumerate(inputs):
            if piece.address > at:
                yield Piece("", at, piece.address - at, "")
            following = inputs[index + 1].address if index + 1 < len(inputs) else end
            stop = min(piece.address + piece.size, following, end)
            yield Piece(piece.name, piece.address, max(0, stop - piece.address), piece.path)
            at = max(at, stop)
        if at < end:
            yield Piece("", at, end - at, "")


def parse_map(text: str) -> dict[str, Section]:
    """Return the output sections of a GNU ld map by name; what was discarded stands before the first of them."""
    sections: dict[str, Section] = {}
    section: Section | None = None
    pending = ""
    for line in text.splitlines():
        if _NAME_ALONE.match(line):
            pending = line
            continue
        line, pending = (pending + line if pending and line.startswith("    ") else line), ""
        if found := _OUTPUT.match(line):
            section = Section(found["name"], int(found["address"], 16), int(found["size"], 16))
            sections[section.name] = section
        elif section is not None and (found := _INPUT.match(line)):
            piece = Piece(found["name"], int(found["address"], 16), int(found["size"], 16), found["object"])
            section.inputs.append(piece)
    return sections


def component_of(path: str) -> str:
    if not path:
        return PADDING
    return next((name for name, pattern in COMPONENTS if re.search(pattern, path)), OTHER)


@dataclass(frozen=True)
class Use:
    """Bytes of one component."""

    code: int
    ram: int


def by_component(linker_map: Path) -> dict[str, Use]:
    """Return what each component takes of code (and constants) and of RAM, largest code first."""
    code: Counter[str] = Counter()
    ram: Counter[str] = Counter()
    for section in parse_map(linker_map.read_text(encoding="utf-8")).values():
        counter = code if section.name in CODE else ram if section.name in DATA else None
        if counter is not None:
            for piece in section.pieces():
                counter[component_of(piece.path)] += piece.size
    names = sorted({*code, *ram}, key=lambda name: (name in (OTHER, PADDING), -code[name]))
    return {name: Use(code[name], ram[name]) for name in names}


def runtime_code_elsewhere(linker_map: Path) -> int:
    """Return the code that inline functions of ExecuTorch's headers take in other components than the runtime."""
    sections = parse_map(linker_map.read_text(encoding="utf-8"))
    return sum(
        piece.size
        for name in CODE
        if name in sections
        for piece in sections[name].pieces()
        if component_of(piece.path) != RUNTIME and _EXECUTORCH.search(piece.name)
    )


def sections_of(elf: Path) -> dict[str, int]:
    """Return the size in bytes of every allocated output section."""
    with elf.open("rb") as file:
        return {s.name: s["sh_size"] for s in ELFFile(file).iter_sections() if s["sh_flags"] & 2 and s["sh_size"]}
