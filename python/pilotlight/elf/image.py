# SPDX-License-Identifier: Apache-2.0
"""Finds sections, symbols, bytes, functions and lines of a linked ELF file."""

from __future__ import annotations

import io
import struct
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from elftools.common.exceptions import DWARFError, ELFError
from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile

from pilotlight.elf.lines import Lines
from pilotlight.elf.unwinding import CallFrames, UnwindRow
from pilotlight.errors import ConfigError

_BUILD_AGAIN = "build it again: west build"

# pyelftools takes 0.1 s for the symbols of an image; these records are 20 times as fast.
# Elf32_Sym: name, value, size, info, other, section.
# Elf64_Sym: name, info, other, section, value, size.
_SYMBOLS = {4: struct.Struct("<IIIBBH"), 8: struct.Struct("<IBBHQQ")}
_UNDEFINED_SECTION, _OBJECT, _FUNCTION = 0, 1, 2
# Size of a function for which the assembler source states none: one instruction.
_SMALLEST_FUNCTION_BYTES = 2


@dataclass(frozen=True)
class Section:
    """A section that takes memory.

    load_address: where its content is stored; None if it has no content.
    content: its bytes; empty if the file has none.
    """

    name: str
    address: int
    size_bytes: int
    alignment: int
    load_address: int | None
    file_offset: int
    is_code: bool
    content: memoryview = field(repr=False)

    def holds(self, address: int) -> bool:
        return self.address <= address < self.address + self.size_bytes


@dataclass(frozen=True)
class Symbol:
    """A defined symbol. Bit 0 of a function's address, which marks Thumb code, is cleared."""

    name: str
    address: int
    size_bytes: int
    is_function: bool
    is_object: bool


class Image:
    """A linked image. Everything but the sections is decoded when it is first used.

    `load` reads the whole file, so a build that replaces the file does not disturb a reader. Each
    method that decodes more raises ConfigError if that part of the file is damaged.
    """

    def __init__(self, path: Path, file: bytes, elf: ELFFile) -> None:
        """Use `load` instead."""
        self.path = path
        self.file = file
        self.pointer_bytes: int = elf.elfclass // 8
        self._elf = elf
        self.sections = tuple(_sections(elf, memoryview(file)))

    @classmethod
    def load(cls, path: Path, *, for_arm: bool) -> Image:
        """Read an ELF file.

        for_arm: refuse a file for any machine but 32-bit Arm. Big-endian files are always refused.

        Raises ConfigError if there is no such file, or if it is not an ELF file, truncated, damaged
        or for another machine.
        """
        try:
            file = path.read_bytes()
        except FileNotFoundError as error:
            raise ConfigError(f"{path} does not exist", hint=_BUILD_AGAIN) from error
        except OSError as error:
            raise ConfigError(f"{path}: {error.strerror}", hint=_BUILD_AGAIN) from error
        if not file.startswith(b"\x7fELF"):
            raise ConfigError(f"{path}: not an ELF file", hint=_BUILD_AGAIN)
        with _damage_named(path):
            elf = ELFFile(io.BytesIO(file))
            end = _end_of_content(elf, len(file))
            if end > len(file):
                raise ConfigError(
                    f"{path}: truncated: the file has {len(file):,} bytes, and its headers describe {end:,}",
                    hint=_BUILD_AGAIN,
                )
            if not elf.little_endian or (for_arm and elf["e_machine"] != "EM_ARM"):
                wanted = "Arm" if for_arm else "a little-endian machine"
                raise ConfigError(
                    f"{path}: an ELF file for {_machine(elf)}, not for {wanted}",
                    hint="west build -b BOARD, with the board that the image is for",
                )
            return cls(path, file, elf)

    @cached_property
    def symbols(self) -> tuple[Symbol, ...]:
        """All defined symbols, in the file's order; empty if the file was stripped."""
        with _damage_named(self.path):
            return tuple(_symbols(self._elf, self.file))

    def symbol(self, name: str) -> Symbol | None:
        """Return the symbol with this name, or None.

        Of several, return the last: ELF lists global symbols after local ones.
        """
        return self._symbols_by_name.get(name)

    def section(self, name: str) -> Section | None:
        """Return the first section with this name that takes memory, or None."""
        return next((section for section in self.sections if section.name == name), None)

    def section_at(self, address: int) -> Section | None:
        """Return the section that holds `address`, or None."""
        return next((section for section in self.sections if section.holds(address)), None)

    def read(self, address: int, size_bytes: int) -> bytes | None:
        """Return the bytes at `address`; None if no section of the file has all of them."""
        for section in self.sections:
            offset = address - section.address
            if offset >= 0 and offset + size_bytes <= len(section.content):
                return bytes(section.content[offset : offset + size_bytes])
        return None

    def is_code(self, address: int) -> bool:
        """Whether `address` lies in code. Bit 0, which marks Thumb code, is ignored."""
        section = self.section_at(address & ~1)
        return section is not None and section.is_code

    def function_at(self, address: int) -> Symbol | None:
        """Return the function that contains `address`, or None."""
        at = bisect_right(self._functions, address, key=lambda function: function.address) - 1
        if at < 0:
            return None
        function = self._functions[at]
        return function if address < function.address + function.size_bytes else None

    def line_at(self, address: int) -> str:
        """Return "file:line"; "" if the file was compiled without line numbers."""
        with _damage_named(self.path):
            return self._lines.line_at(address) if self._lines else ""

    def unwinding_at(self, address: int) -> UnwindRow | None:
        """Return how to unwind from the instruction at `address`; None if no table says so."""
        with _damage_named(self.path):
            return self._call_frames.row_at(address) if self._call_frames else None

    @cached_property
    def _symbols_by_name(self) -> dict[str, Symbol]:
        return {symbol.name: symbol for symbol in self.symbols}

    @cached_property
    def _functions(self) -> list[Symbol]:
        """One function per address, ascending: the last name, and the last size that is stated."""
        found: dict[int, Symbol] = {}
        for symbol in self.symbols:
            if symbol.is_function:
                before = found.get(symbol.address)
                size = symbol.size_bytes or (before.size_bytes if before else _SMALLEST_FUNCTION_BYTES)
                found[symbol.address] = replace(symbol, size_bytes=size)
        return [function for _, function in sorted(found.items())]

    @cached_property
    def _dwarf(self) -> Any:
        return self._elf.get_dwarf_info() if self._elf.has_dwarf_info() else None

    @cached_property
    def _lines(self) -> Lines | None:
        return Lines(self._dwarf) if self._dwarf else None

    @cached_property
    def _call_frames(self) -> CallFrames | None:
        return CallFrames(self._dwarf) if self._dwarf else None


# pyelftools raises exceptions of its own, and Python's when debug information contradicts itself.
_DAMAGE = (ELFError, DWARFError, AssertionError, AttributeError, LookupError, TypeError, ValueError)


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise ConfigError(f"{path}: damaged ELF file ({error!r})", hint=_BUILD_AGAIN) from error


def _machine(elf: ELFFile) -> str:
    order = "" if elf.little_endian else ", big-endian"
    return f"{elf.get_machine_arch().strip('<>')}{order}"


def _end_of_content(elf: ELFFile, size_bytes: int) -> int:
    """Return the offset at which the last part of the file ends.

    If the header tables themselves are cut off, return where they end.
    """
    tables: list[int] = [
        elf["e_ehsize"],
        elf["e_phoff"] + elf["e_phnum"] * elf["e_phentsize"],
        elf["e_shoff"] + elf["e_shnum"] * elf["e_shentsize"],
    ]
    if max(tables) > size_bytes:
        return max(tables)
    ends: list[int] = [
        *tables,
        *(segment["p_offset"] + segment["p_filesz"] for segment in elf.iter_segments()),
        *(
            section["sh_offset"] + section["sh_size"]
            for section in elf.iter_sections()
            if section["sh_type"] not in ("SHT_NULL", "SHT_NOBITS")
        ),
    ]
    return max(ends)


def _sections(elf: ELFFile, file: memoryview) -> Iterator[Section]:
    segments = [segment.header for segment in elf.iter_segments() if segment["p_type"] == "PT_LOAD"]
    for section in elf.iter_sections():
        header, flags = section.header, section["sh_flags"]
        if not flags & SH_FLAGS.SHF_ALLOC or not header.sh_size:
            continue
        has_content = header.sh_type != "SHT_NOBITS"
        if not has_content and flags & SH_FLAGS.SHF_TLS:
            continue  # This is only a template in memory: each thread gets a copy.
        start, end = header.sh_offset, header.sh_offset + header.sh_size
        loads = (at.p_paddr + start - at.p_offset for at in segments if 0 <= start - at.p_offset < at.p_filesz)
        yield Section(
            section.name,
            header.sh_addr,
            header.sh_size,
            header.sh_addralign,
            next(loads, header.sh_addr) if has_content else None,
            start,
            bool(flags & SH_FLAGS.SHF_EXECINSTR) and has_content,
            file[start:end] if has_content else file[:0],
        )


def _symbols(elf: ELFFile, file: bytes) -> Iterator[Symbol]:
    table = elf.get_section_by_name(".symtab")
    if table is None:
        return
    is_wide, is_arm = elf.elfclass == 64, elf["e_machine"] == "EM_ARM"
    record = _SYMBOLS[elf.elfclass // 8]
    start, size = table["sh_offset"], table["sh_size"] // record.size * record.size
    names = elf.get_section(table["sh_link"]).data()
    for fields in record.iter_unpack(file[start : start + size]):
        if is_wide:
            name, info, _, section, address, size_bytes = fields
        else:
            name, address, size_bytes, info, _, section = fields
        if section != _UNDEFINED_SECTION:
            text = names[name : names.find(b"\0", name)].decode("utf-8", "replace")
            kind = info & 0xF
            is_function = kind == _FUNCTION
            thumb = is_function and is_arm
            yield Symbol(text, address & ~1 if thumb else address, size_bytes, is_function, kind == _OBJECT)
