# SPDX-License-Identifier: Apache-2.0
"""Reads symbols, and the bytes, words and strings at an address, from a linked image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from pilotlight.errors import BuildFailed, NotProved

_SHF_ALLOC, _SHF_EXECINSTR = 0x2, 0x4
_SHT_NOBITS = "SHT_NOBITS"


@dataclass(frozen=True)
class Symbol:
    name: str
    address: int
    size_bytes: int
    is_object: bool


@dataclass(frozen=True)
class _Section:
    name: str
    address: int
    size_bytes: int
    data: bytes | None
    executable: bool


class ElfImage:
    """A linked image.

    Raises BuildFailed if the file cannot be read, NotProved if it has no symbols.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as file:
                elf = ELFFile(file)
                self.pointer_bytes = int(elf.elfclass) // 8
                self._sections = [
                    _Section(
                        section.name,
                        section["sh_addr"],
                        section["sh_size"],
                        None if section["sh_type"] == _SHT_NOBITS else section.data(),
                        bool(section["sh_flags"] & _SHF_EXECINSTR),
                    )
                    for section in elf.iter_sections()
                    if section["sh_flags"] & _SHF_ALLOC and section["sh_size"]
                ]
                tables = [section for section in elf.iter_sections() if isinstance(section, SymbolTableSection)]
                self._symbols = [
                    Symbol(
                        symbol.name,
                        symbol["st_value"],
                        symbol["st_size"],
                        symbol["st_info"]["type"] == "STT_OBJECT",
                    )
                    for table in tables
                    for symbol in table.iter_symbols()
                    if symbol["st_shndx"] != "SHN_UNDEF"
                ]
        except OSError as error:
            raise BuildFailed(f"{path}: {error.strerror}", hint="build the image again") from error
        except ELFError as error:
            raise BuildFailed(f"{path} is no ELF file: {error}", hint="build the image again") from error
        if not self._symbols:
            raise NotProved(f"{path} has no symbols, so nothing can be proved of it", hint="strip a copy instead")

    def find(self, name: str) -> Symbol | None:
        """Return the symbol with exactly this name, or None."""
        return next((symbol for symbol in self._symbols if symbol.name == name), None)

    def find_all(self, part: str) -> list[Symbol]:
        """Return the objects whose (mangled) name contains `part`."""
        return [symbol for symbol in self._symbols if part in symbol.name and symbol.is_object]

    def read(self, address: int, size_bytes: int) -> bytes:
        """Return the bytes at `address`. Raises NotProved if the file has none there."""
        for section in self._sections:
            offset = address - section.address
            if section.data is not None and offset >= 0 and offset + size_bytes <= section.size_bytes:
                return section.data[offset : offset + size_bytes]
        raise NotProved(f"{self.path}: no content at {address:#x}", hint="build the image again, in an empty folder")

    def word(self, address: int) -> int:
        """Return the pointer at `address`."""
        return int.from_bytes(self.read(address, self.pointer_bytes), "little")

    def string(self, address: int) -> str:
        """Return the NUL-terminated text at `address`; "" for a null pointer."""
        if address == 0:
            return ""
        text = b""
        while not text.endswith(b"\0"):
            text += self.read(address + len(text), 1)
        return text[:-1].decode("utf-8", "replace")

    def starting_with(self, prefix: str) -> list[Symbol]:
        """Return the symbols whose name begins with `prefix`."""
        return [symbol for symbol in self._symbols if symbol.name.startswith(prefix)]

    def section_of(self, address: int) -> str:
        """Return the name of the section that holds `address`; "" if there is none."""
        return next(
            (section.name for section in self._sections if 0 <= address - section.address < section.size_bytes), ""
        )

    def is_code(self, address: int) -> bool:
        """Whether `address` lies in code. Bit 0, which marks Thumb code, is ignored."""
        return any(
            section.executable and section.address <= (address & ~1) < section.address + section.size_bytes
            for section in self._sections
        )
