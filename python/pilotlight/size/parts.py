# SPDX-License-Identifier: Apache-2.0
"""Finds the parts of a linked image that take memory, and the use of the board's regions.

The ELF file gives sizes and addresses of sections; the map says which object filled them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from pilotlight.boards import MemoryRegion
from pilotlight.elf import Image, Section, Symbol, demangle
from pilotlight.elf.linker_map import OutputSection, parse_map
from pilotlight.errors import ConfigError
from pilotlight.size.components import PADDING, component_of, file_of
from pilotlight.size.record import FLASH, RAM, Part, RegionUse

# Stands for all memory outside the board's regions.
ELSEWHERE = "elsewhere"


def sized_symbols(image: Image) -> tuple[Symbol, ...]:
    """Return the functions and variables by address, at equal addresses the largest first."""
    found = (symbol for symbol in image.symbols if symbol.size_bytes and (symbol.is_function or symbol.is_object))
    return tuple(sorted(found, key=lambda symbol: (symbol.address, -symbol.size_bytes)))


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
    section: Section
    region: str
    memory: str

    @property
    def end(self) -> int:
        return self.start + self.section.size_bytes


def region_use(image: Image, memory: Mapping[str, MemoryRegion]) -> tuple[RegionUse, ...]:
    """Return the use of each region in the board's order. Memory outside all regions comes last."""
    used = dict.fromkeys(memory, 0)
    spans = _spans(image, memory)
    for span in spans:
        used[span.region] = used.get(span.region, 0) + span.section.size_bytes
    for part in _alignment(spans):
        used[part.region] += part.size_bytes
    return tuple(RegionUse(name, size, memory[name].size if name in memory else 0) for name, size in used.items())


def parts_of(image: Image, linker_map: Path, memory: Mapping[str, MemoryRegion]) -> tuple[Part, ...]:
    """Return all parts that take memory: each section where it runs, and again where it is loaded
    from.

    Raises ConfigError if the image has no symbols, or if the map is from another link.
    """
    symbols = sized_symbols(image)
    if not symbols:
        raise ConfigError(
            f"{image.path} was stripped of its symbols, so what it holds has no names",
            hint="measure the image as it was linked; strip a copy of it",
        )
    mapped = parse_map(linker_map.read_text(encoding="utf-8", errors="replace"))
    names = _Names(symbols)
    parts: list[Part] = []
    spans = _spans(image, memory)
    for span in spans:
        section = span.section
        found = mapped.get(section.name, OutputSection(section.name, section.address, section.size_bytes))
        if (found.address, found.size) != (section.address, section.size_bytes):
            raise ConfigError(
                f"{linker_map} is not the map of {image.path}: {section.name} has {found.size:,} bytes at "
                f"{found.address:#x} in one, {section.size_bytes:,} at {section.address:#x} in the other",
                hint="build it again: west build",
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


def _parts_of_section(section: OutputSection, span: _Span, names: _Names) -> Iterator[Part]:
    for piece in section.pieces():
        component, file = component_of(piece.path), file_of(piece.path)
        if not piece.path and piece.size == section.size:
            # This section is only space that the linker script reserves, such as the stack.
            component = section.name.lstrip(".")
        for symbol, size in names.within(piece.address, piece.size):
            yield Part(span.region, span.memory, section.name, component, file, symbol, size)


class _Names:
    """The demangled names of functions and variables by address."""

    def __init__(self, symbols: tuple[Symbol, ...]) -> None:
        self._starts = [symbol.address for symbol in symbols]
        self._sizes = [symbol.size_bytes for symbol in symbols]
        self._names = demangle([symbol.name for symbol in symbols])

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
