# SPDX-License-Identifier: Apache-2.0
"""Gives a linked image its build id: `python -m pilotlight.builder.build_id`. See cmake/model.cmake.

The id is a hash of all that the image loads into memory, so that nothing which changes the image can be forgotten:
sources, compiler, options, linker script, libraries, the user's own app. It is written into the image, where
`pilotlight_build_id` has 16 zeros, and beside it as text. Two builds of equal bytes have equal ids.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from pilotlight.cli import run_command
from pilotlight.errors import BuildFailed
from pilotlight.files import write_atomically, write_if_changed

SYMBOL = "pilotlight_build_id"
DIGITS = 16


@dataclass(frozen=True)
class _Part:
    """A loaded part of the file. physical: its load address; address: where it runs."""

    physical: int
    address: int
    offset: int
    size_bytes: int


def write_build_id(elf: Path) -> str:
    """Write the id into the image and return it. An image without the symbol is not changed.

    Raises BuildFailed if the file is not an ELF file.
    """
    try:
        with elf.open("rb") as file:
            image = ELFFile(file)
            parts, id_at = list(_parts(image)), next(_places(image), None)
        content = bytearray(elf.read_bytes())
    except OSError as error:
        raise BuildFailed(f"{elf}: {error.strerror}", hint="build the image again") from error
    except ELFError as error:
        raise BuildFailed(f"{elf} is no ELF file: {error}", hint="build the image again") from error
    if id_at is not None:
        content[id_at : id_at + DIGITS] = b"0" * DIGITS
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"{part.physical:x} {part.address:x} {part.size_bytes:x}\n".encode())
        digest.update(content[part.offset : part.offset + part.size_bytes])
    identity = digest.hexdigest()[:DIGITS]
    if id_at is not None:
        content[id_at : id_at + DIGITS] = identity.encode()
        mode = elf.stat().st_mode
        write_atomically(elf, bytes(content))
        elf.chmod(mode)
    return identity


def _parts(elf: ELFFile) -> Iterator[_Part]:
    """Yield the loaded sections.

    Segments may contain the ELF header, whose content depends on the debug information.
    """
    segments = [segment for segment in elf.iter_segments() if segment["p_type"] == "PT_LOAD"]
    for section in elf.iter_sections():
        if not section["sh_flags"] & SH_FLAGS.SHF_ALLOC or section["sh_type"] == "SHT_NOBITS":
            continue
        for segment in segments:
            at = section["sh_offset"] - segment["p_offset"]
            if section["sh_size"] and 0 <= at < segment["p_filesz"]:
                yield _Part(segment["p_paddr"] + at, section["sh_addr"], section["sh_offset"], section["sh_size"])
                break


def _places(elf: ELFFile) -> Iterator[int]:
    for table in elf.iter_sections():
        if isinstance(table, SymbolTableSection):
            for symbol in table.get_symbol_by_name(SYMBOL) or ():
                section = elf.get_section(symbol["st_shndx"])
                yield section["sh_offset"] + symbol["st_value"] - section["sh_addr"]


def _run(args: argparse.Namespace) -> int:
    write_if_changed(args.out / "build_id.txt", write_build_id(args.elf) + "\n")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--elf", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder for build_id.txt")
    parser.set_defaults(handler=_run)
    return run_command(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
