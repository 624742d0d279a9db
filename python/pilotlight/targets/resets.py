# SPDX-License-Identifier: Apache-2.0
"""Explains a board's resets by the fault dump that its supervisor saved."""

from __future__ import annotations

from pathlib import Path

from pilotlight.build_folder import BuildFolder
from pilotlight.errors import PilotlightError
from pilotlight.fault import decode_fault

RESETS_HINT = "`west fault` shows the registers too; `west flash` starts it again"


def kept_fault(build_dir: Path) -> bytes:
    """Return the dump of the last fault since power-up; b"" if there was none."""
    try:
        return BuildFolder(build_dir).target_fault_dump.read_bytes()
    except FileNotFoundError:
        return b""


def last_fault(build_dir: Path) -> str:
    """Return text about the last fault since power-up, to append to a message."""
    dump = kept_fault(build_dir)
    if not dump:
        return "; no fault was recorded"
    try:
        lines = decode_fault(dump, BuildFolder(build_dir).elf()).lines()
    except PilotlightError as error:
        lines = [str(error)]
    return "\n  ".join(["", "the last fault: " + lines[0], *lines[1:]])
