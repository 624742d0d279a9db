# SPDX-License-Identifier: Apache-2.0
"""Reads the compiler's line tables (`.debug_line`)."""

from __future__ import annotations

from bisect import bisect_right
from typing import Any


class Lines:
    """The source lines of an image. dwarf: pyelftools' DWARFInfo.

    The tables of a whole image take about a second to decode. So the table of a compilation unit is
    decoded when one of its addresses is first looked up.
    """

    def __init__(self, dwarf: Any) -> None:
        self._dwarf = dwarf
        self._tables: dict[int, list[tuple[int, str]]] = {}
        aranges = dwarf.get_aranges()
        entries = aranges.entries if aranges else []
        # The ranges of functions that the linker dropped remain, at address 0.
        self._ranges = sorted(
            (entry.begin_addr, entry.begin_addr + entry.length, entry.info_offset)
            for entry in entries
            if entry.begin_addr
        )
        # GCC lists the addresses of each unit in .debug_aranges; other compilers may not.
        listed = {entry.info_offset for entry in entries}
        self._unlisted = [unit.cu_offset for unit in dwarf.iter_CUs() if unit.cu_offset not in listed]

    def line_at(self, address: int) -> str:
        """Return "file:line"; "" if the file was compiled without line numbers."""
        at = bisect_right(self._ranges, address, key=lambda entry: entry[0]) - 1
        if at >= 0 and address < self._ranges[at][1]:
            return self._line_in(self._ranges[at][2], address)
        return next(filter(None, (self._line_in(unit, address) for unit in self._unlisted)), "")

    def _line_in(self, unit: int, address: int) -> str:
        if unit not in self._tables:
            self._tables[unit] = _table(self._dwarf, self._dwarf.get_CU_at(unit))
        table = self._tables[unit]
        at = bisect_right(table, address, key=lambda entry: entry[0]) - 1
        return table[at][1] if at >= 0 else ""


def _table(dwarf: Any, unit: Any) -> list[tuple[int, str]]:
    """Return (first address, "file:line" or "" for none) of each part of the code, ascending."""
    program = dwarf.line_program_for_CU(unit)
    if program is None:
        return []
    found: dict[int, str] = {}
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


def _path(folders: list[str], folder: int, name: str) -> str:
    """Return the path of a source file in the repository, or the name of any other file."""
    inside = 0 <= folder < len(folders) and folders[folder] and not folders[folder].startswith(("/", ".."))
    return f"{folders[folder]}/{name}" if inside and not name.startswith(("/", "..")) else name.rpartition("/")[2]


def _text(raw: bytes | str) -> str:
    return raw.decode("utf-8", errors="replace") if isinstance(raw, bytes) else raw
