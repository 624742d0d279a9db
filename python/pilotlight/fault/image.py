# SPDX-License-Identifier: Apache-2.0
"""Finds function, line, section group, code and unwind rule of an address in an ELF file."""

from __future__ import annotations

import shutil
import subprocess
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from elftools.common.exceptions import ELFError
from elftools.dwarf.callframe import FDE
from elftools.elf.elffile import ELFFile

from pilotlight.errors import ConfigError

# Start and end symbols (firmware/platform/link/image.ld) of the regions that the MPU protects.
_GROUPS = {
    "the code": ("__code_start", "__code_end"),
    "the constants": ("__constants_start", "__constants_end"),
    "the model": ("__model_start", "__model_end"),
    "the data": ("__ram_start", "__ram_end"),
    "the tensor arena": ("__arena_start", "__arena_end"),
    "the stack": ("__stack_limit", "__stack_top"),
}
_GUARD_BYTES = 64


@dataclass(frozen=True)
class Function:
    """A function at addresses from `start` up to, but not including, `end`."""

    name: str
    start: int
    end: int


@dataclass(frozen=True)
class Image:
    """One firmware.elf, read once."""

    path: Path
    image_id: bytes
    functions: tuple[Function, ...]
    symbols: dict[str, int]
    code: tuple[tuple[int, bytes], ...]
    lines: tuple[tuple[int, str], ...]
    unwinding: tuple[tuple[int, int, Any], ...]

    @classmethod
    def load(cls, path: Path) -> Image:
        """Read the file. Raises ConfigError if it does not exist or is not an ELF file."""
        try:
            with path.open("rb") as file:
                return cls._read(path, ELFFile(file))
        except FileNotFoundError as error:
            raise ConfigError(f"{path} does not exist: nothing to decode the fault with", hint="west build") from error
        except ELFError as error:
            raise ConfigError(f"{path}: not an ELF file ({error})", hint="west build") from error

    @classmethod
    def _read(cls, path: Path, elf: ELFFile) -> Image:
        note = elf.get_section_by_name(".note.gnu.build-id")
        table = elf.get_section_by_name(".symtab")
        symbols = list(table.iter_symbols()) if table else []
        # Bit 0 of a function's address marks Thumb code.
        functions = {
            symbol["st_value"] & ~1: Function(symbol.name, symbol["st_value"] & ~1, 0)
            for symbol in symbols
            if symbol["st_info"]["type"] == "STT_FUNC"
        }
        sizes = {symbol["st_value"] & ~1: symbol["st_size"] for symbol in symbols if symbol["st_size"]}
        code = [
            (section["sh_addr"], section.data())
            for section in elf.iter_sections()
            if section["sh_flags"] & 4 and section["sh_type"] == "SHT_PROGBITS"
        ]
        dwarf = elf.get_dwarf_info() if elf.has_dwarf_info() else None
        return cls(
            path=path,
            image_id=note.data()[-20:] if note else b"",
            functions=tuple(
                Function(f.name, f.start, f.start + sizes.get(f.start, 2)) for _, f in sorted(functions.items())
            ),
            symbols={symbol.name: symbol["st_value"] for symbol in symbols if symbol.name},
            code=tuple(code),
            lines=tuple(_line_table(dwarf)) if dwarf else (),
            unwinding=tuple(_unwind_table(dwarf)) if dwarf and dwarf.has_CFI() else (),
        )

    @cached_property
    def _starts(self) -> list[int]:
        return [function.start for function in self.functions]

    @cached_property
    def _line_starts(self) -> list[int]:
        return [start for start, _ in self.lines]

    def is_code(self, address: int) -> bool:
        """Whether `address` lies in a code section."""
        return any(start <= address < start + len(data) for start, data in self.code)

    def function_at(self, address: int) -> Function | None:
        """Return the function that contains `address`, or None."""
        at = bisect_right(self._starts, address) - 1
        return self.functions[at] if at >= 0 and address < self.functions[at].end else None

    def line_at(self, address: int) -> str:
        """Return "file:line"; "" if the file was compiled without line numbers."""
        at = bisect_right(self._line_starts, address) - 1
        return self.lines[at][1] if at >= 0 else ""

    def unwinding_at(self, address: int) -> dict[Any, Any] | None:
        """Return the call frame table's row for `address`: {"cfa": rule, register number: rule}."""
        for start, end, fde in self.unwinding:
            if start <= address < end:
                rows = [row for row in fde.get_decoded().table if row["pc"] <= address]
                return rows[-1] if rows else None
        return None

    def group_at(self, address: int) -> str:
        """Return a phrase for the part of the image at `address`; "" if there is none."""
        for words, (start, end) in _GROUPS.items():
            if self.symbols.get(start, 0) <= address < self.symbols.get(end, 0):
                return words
        limit = self.symbols.get("__stack_limit", 0)
        return "the guard below the stack" if limit - _GUARD_BYTES <= address < limit else ""

    def halfwords(self, address: int, count: int) -> tuple[int, ...]:
        """Return up to `count` halfwords of code from `address` on; fewer if the section ends."""
        for start, data in self.code:
            if start <= address < start + len(data):
                raw = data[address - start : address - start + 2 * count]
                return tuple(int.from_bytes(raw[i : i + 2], "little") for i in range(0, len(raw) - 1, 2))
        return ()

    def follows_call(self, address: int) -> bool:
        """Whether a call instruction ends at `address`. One does before every return address."""
        before = self.halfwords(address - 4, 2)
        if len(before) < 2:
            return False
        is_bl = before[0] & 0xF800 == 0xF000 and before[1] & 0xD000 == 0xD000
        return is_bl or before[1] & 0xFF87 == 0x4780  # BLX register


def _line_table(dwarf: Any) -> list[tuple[int, str]]:
    found: dict[int, str] = {}
    for unit in dwarf.iter_CUs():
        program = dwarf.line_program_for_CU(unit)
        if program is None:
            continue
        folders = [_text(folder) for folder in program["include_directory"]]
        # Up to DWARF 4 both tables count from 1, and folder 0 is the compiler's working folder.
        first = 0 if program["version"] >= 5 else 1
        names = [_path(folders, entry.dir_index - first, _text(entry.name)) for entry in program["file_entry"]]
        for entry in program.get_entries():
            state = entry.state
            # Line numbers of sections that the linker dropped remain, at address 0.
            if state is None or state.address == 0:
                continue
            if state.end_sequence:
                found.setdefault(state.address, "")
            elif 0 <= state.file - first < len(names):
                found[state.address] = f"{names[state.file - first]}:{state.line}"
    return sorted(found.items())


def _unwind_table(dwarf: Any) -> list[tuple[int, int, Any]]:
    found = []
    for entry in dwarf.CFI_entries():
        if isinstance(entry, FDE) and entry["initial_location"]:
            start = entry["initial_location"]
            found.append((start, start + entry["address_range"], entry))
    return found


def _path(folders: list[str], folder: int, name: str) -> str:
    """Return the path of a source file in the repository, or the name of any other file."""
    inside = 0 <= folder < len(folders) and folders[folder] and not folders[folder].startswith(("/", ".."))
    return f"{folders[folder]}/{name}" if inside and not name.startswith(("/", "..")) else name.rpartition("/")[2]


def _text(raw: bytes | str) -> str:
    return raw.decode("utf-8", errors="replace") if isinstance(raw, bytes) else raw


def demangle(names: list[str]) -> list[str]:
    """Return demangled C++ names; unchanged if c++filt is not installed."""
    tool = shutil.which("arm-none-eabi-c++filt") or shutil.which("c++filt")
    if tool is None or not names:
        return names
    done = subprocess.run([tool], input="\n".join(names), capture_output=True, text=True, timeout=30, check=False)
    readable = done.stdout.splitlines()
    return readable if len(readable) == len(names) else names
