# SPDX-License-Identifier: Apache-2.0
"""Measures a linked image.

The ELF file gives sizes and addresses of sections; the map says which object filled them.
"""

from __future__ import annotations

import shutil
import subprocess
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from pilotlight.boards import MemoryRegion
from pilotlight.errors import ConfigError
from pilotlight.size.components import PADDING, component_of, file_of
from pilotlight.size.linker_map import Section, parse_map
from pilotlight.size.record import FLASH, RAM, Part, RegionUse

# Stands for all memory outside the board's regions.
ELSEWHERE = "elsewhere"

_ALLOCATED, _THREAD_LOCAL = 0x2, 0x400
_BUILD_AGAIN = "build it again: west build"


@dataclass(frozen=True)
class ElfSection:
    """A section. load_address: where its content is stored; None if it has no content."""

    name: str
    address: int
    size: int
    alignment: int
    load_address: int | None
    content: bytes


@dataclass(frozen=True)
class Symbol:
    name: str
    address: int
    size: int


@dataclass(frozen=True)
class Image:
    """A linked image. symbols: sorted by address; at equal addresses the largest first."""

    path: Path
    sections: tuple[ElfSection, ...]
    symbols: tuple[Symbol, ...]

    @classmethod
    def load(cls, path: Path) -> Image:
        """Read the file. Raises ConfigError if it does not exist or is not an ELF file."""
        try:
            with path.open("rb") as file:
                return cls._read(path, ELFFile(file))
        except OSError as error:
            raise ConfigError(
                f"{path}: {error.strerror}, so there is no image to measure", hint=_BUILD_AGAIN
            ) from error
        except ELFError as error:
            raise ConfigError(f"{path}: not an ELF file ({error})", hint=_BUILD_AGAIN) from error

    @classmethod
    def _read(cls, path: Path, elf: ELFFile) -> Image:
        moves = [
            (segment["p_vaddr"], segment["p_vaddr"] + segment["p_filesz"], segment["p_paddr"] - segment["p_vaddr"])
            for segment in elf.iter_segments()
            if segment["p_type"] == "PT_LOAD"
        ]
        sections = []
        for section in elf.iter_sections():
            empty = section["sh_type"] == "SHT_NOBITS"
            if not section["sh_flags"] & _ALLOCATED or not section["sh_size"]:
                continue
            if empty and section["sh_flags"] & _THREAD_LOCAL:
                continue  # It takes no memory itself: each thread gets a copy.
            at = section["sh_addr"]
            move = next((move for start, end, move in moves if start <= at < end), 0)
            content = b"" if empty else section.data()
            load_address = None if empty else at + move
            sections.append(
                ElfSection(section.name, at, section["sh_size"], section["sh_addralign"], load_address, content)
            )
        symbols = [
            Symbol(symbol.name, symbol["st_value"] & ~(symbol["st_info"]["type"] == "STT_FUNC"), symbol["st_size"])
            for table in elf.iter_sections()
            if isinstance(table, SymbolTableSection) and table.name == ".symtab"
            for symbol in table.iter_symbols()
            if symbol["st_size"] and symbol["st_info"]["type"] in ("STT_FUNC", "STT_OBJECT")
        ]
        return cls(path, tuple(sections), tuple(sorted(symbols, key=lambda symbol: (symbol.address, -symbol.size))))

    def content(self, symbol: Symbol) -> bytes:
        """Return the bytes of a constant.

        Raises ConfigError if the image file does not have them.
        """
        for section in self.sections:
            start = symbol.address - section.address
            if start >= 0 and start + symbol.size <= len(section.content):
                return section.content[start : start + symbol.size]
        raise ConfigError(f"{self.path}: {symbol.name} has no content", hint=_BUILD_AGAIN)


def find_map(elf: Path) -> Path:
    """Return the linker's map beside `elf`. Raises ConfigError if there is none."""
    candidates = (elf.with_suffix(".map"), elf.with_name(f"{elf.name}.map"))
    found = next((path for path in candidates if path.is_file()), None)
    if found is None:
        raise ConfigError(
            f"{elf}: the linker's map is missing, neither {candidates[0].name} nor {candidates[1].name} is beside it",
            hint="link again; pilotlight_add_model() asks the linker for it, unless the project asks for another -Map",
        )
    return found


@dataclass(frozen=True)
class _Span:
    """A section at one place: where it runs, or where it is loaded from."""

    start: int
    section: ElfSection
    region: str
    memory: str

    @property
    def end(self) -> int:
        return self.start + self.section.size


def region_use(image: Image, memory: Mapping[str, MemoryRegion]) -> tuple[RegionUse, ...]:
    """Return the use of each region in the board's order. Memory outside all regions comes last."""
    used = dict.fromkeys(memory, 0)
    spans = _spans(image, memory)
    for span in spans:
        used[span.region] = used.get(span.region, 0) + span.section.size
    for part in _alignment(spans):
        used[part.region] += part.size_bytes
    return tuple(RegionUse(name, size, memory[name].size if name in memory else 0) for name, size in used.items())


def parts_of(image: Image, linker_map: Path, memory: Mapping[str, MemoryRegion]) -> tuple[Part, ...]:
    """Return all parts that take memory: each section where it runs, and again where it is loaded
    from.

    Raises ConfigError if the image has no symbols, or if the map is from another link.
    """
    if not image.symbols:
        raise ConfigError(
            f"{image.path} was stripped of its symbols, so what it holds has no names",
            hint="measure the image as it was linked; strip a copy of it",
        )
    mapped = parse_map(linker_map.read_text(encoding="utf-8", errors="replace"))
    names = _Names(image)
    parts: list[Part] = []
    spans = _spans(image, memory)
    for span in spans:
        section = span.section
        found = mapped.get(section.name, Section(section.name, section.address, section.size))
        if (found.address, found.size) != (section.address, section.size):
            raise ConfigError(
                f"{linker_map} is not the map of {image.path}: {section.name} has {found.size:,} bytes at "
                f"{found.address:#x} in one, {section.size:,} at {section.address:#x} in the other",
                hint=_BUILD_AGAIN,
            )
        parts += _parts_of_section(found, span, names)
    return (*parts, *_alignment(spans))


def _spans(image: Image, memory: Mapping[str, MemoryRegion]) -> list[_Span]:
    spans = []
    for section in image.sections:
        at = section.load_address
        spans.append(_Span(section.address, section, _region(section.address, memory), FLASH))
        if at is None or at != section.address:
            spans[-1] = replace(spans[-1], memory=RAM)
        if at is not None and at != section.address:
            spans.append(_Span(at, section, _region(at, memory), FLASH))
    return sorted(spans, key=lambda span: span.start)


def _alignment(spans: list[_Span]) -> Iterator[Part]:
    """Yield the gaps between sections that the alignment of the next section causes."""
    for before, span in pairwise(spans):
        gap = span.start - before.end
        if span.region == before.region != ELSEWHERE and 0 < gap < span.section.alignment:
            yield Part(span.region, span.memory, span.section.name, PADDING, "", "", gap)


def _region(address: int, memory: Mapping[str, MemoryRegion]) -> str:
    return next((name for name, region in memory.items() if region.origin <= address < region.end), ELSEWHERE)


def _parts_of_section(section: Section, span: _Span, names: _Names) -> Iterator[Part]:
    for piece in section.pieces():
        component, file = component_of(piece.path), file_of(piece.path)
        if not piece.path and piece.size == section.size:
            # Only space that the linker script reserves, such as the stack.
            component = section.name.lstrip(".")
        for symbol, size in names.within(piece.address, piece.size):
            yield Part(span.region, span.memory, section.name, component, file, symbol, size)


class _Names:
    """The demangled names of functions and variables by address."""

    def __init__(self, image: Image) -> None:
        self._starts = [symbol.address for symbol in image.symbols]
        self._sizes = [symbol.size for symbol in image.symbols]
        self._names = _demangled([symbol.name for symbol in image.symbols])

    def within(self, address: int, size: int) -> Iterator[tuple[str, int]]:
        """Yield (name, size) of the functions and variables in a range; "" for the gaps."""
        first, end = bisect_left(self._starts, address), address + size
        # Of several symbols at one address, take the largest.
        found = {start: index for start, index in reversed(list(self._indices(first, end)))}
        if len(found) == 1:
            yield self._names[next(iter(found.values()))], size
            return
        at = address
        for start, index in sorted(found.items()):
            stop = min(start + self._sizes[index], end)
            if start > at:
                yield "", start - at
            if stop > max(at, start):
                yield self._names[index], stop - max(at, start)
                at = stop
        if at < end:
            yield "", end - at

    def _indices(self, first: int, end: int) -> Iterator[tuple[int, int]]:
        for index in range(first, len(self._starts)):
            if self._starts[index] >= end:
                return
            yield self._starts[index], index


def _demangled(names: list[str]) -> list[str]:
    """Return demangled C++ names; unchanged if c++filt is not installed."""
    tool = shutil.which("arm-none-eabi-c++filt") or shutil.which("c++filt")
    if tool is None:
        return names
    done = subprocess.run([tool], input="\n".join(names), capture_output=True, text=True, timeout=60, check=False)
    lines = done.stdout.splitlines()
    return lines if len(lines) == len(names) else names
