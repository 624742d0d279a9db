# SPDX-License-Identifier: Apache-2.0
"""Reads the compiler's call frame tables (`.debug_frame`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from elftools.dwarf.callframe import FDE


@dataclass(frozen=True)
class UnwindRow:
    """The rules that find the caller's registers at one instruction.

    The CFA (canonical frame address) is the caller's stack pointer. The CFA is the register
    `cfa_register` plus `cfa_offset` bytes. cfa_register: None if an expression gives the CFA.
    saved: register number -> where its value is saved, in bytes from the CFA.
    """

    cfa_register: int | None
    cfa_offset: int
    saved: Mapping[int, int]


class CallFrames:
    """The call frame tables of an image. dwarf: pyelftools' DWARFInfo."""

    def __init__(self, dwarf: Any) -> None:
        # The tables of functions that the linker dropped remain, at address 0.
        self._entries = [
            (entry["initial_location"], entry["initial_location"] + entry["address_range"], entry)
            for entry in (dwarf.CFI_entries() if dwarf.has_CFI() else ())
            if isinstance(entry, FDE) and entry["initial_location"]
        ]

    def row_at(self, address: int) -> UnwindRow | None:
        """Return the row for the instruction at `address`; None if its function has no table."""
        for start, end, entry in self._entries:
            if start <= address < end:
                rows = [row for row in entry.get_decoded().table if row["pc"] <= address]
                return _row(rows[-1]) if rows else None
        return None


def _row(row: Mapping[Any, Any]) -> UnwindRow:
    saved = {
        register: rule.arg for register, rule in row.items() if isinstance(register, int) and rule.type == "OFFSET"
    }
    return UnwindRow(row["cfa"].reg, row["cfa"].offset, saved)
