# SPDX-License-Identifier: Apache-2.0
"""Gives a linked image its build id: `python -m pilotlight.builder.build_id`. See
cmake/model.cmake.

The id is a hash of everything that the image loads into memory. So the id covers everything that
can change the image: sources, compiler, options, linker script, libraries, the user's own app. The
id is written into the image, where `pilotlight_build_id` has 16 zeros, and beside it as text. Two
builds with equal bytes have equal ids.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path

from pilotlight.cli import run_command
from pilotlight.elf import Image
from pilotlight.files import write_atomically, write_if_changed

SYMBOL = "pilotlight_build_id"
DIGITS = 16


def write_build_id(elf: Path) -> str:
    """Write the id into the image and return it. An image without the symbol is not changed.

    Raises ConfigError if the file is not a sound ELF file.
    """
    image = Image.load(elf, for_arm=False)
    content, id_at = bytearray(image.file), _place(image)
    if id_at is not None:
        content[id_at : id_at + DIGITS] = b"0" * DIGITS
    digest = hashlib.sha256()
    # Sections, not segments: a segment may contain the ELF header, which depends on the debug
    # information.
    for section in image.sections:
        if section.load_address is not None:
            digest.update(f"{section.load_address:x} {section.address:x} {section.size_bytes:x}\n".encode())
            digest.update(content[section.file_offset : section.file_offset + section.size_bytes])
    identity = digest.hexdigest()[:DIGITS]
    if id_at is not None:
        content[id_at : id_at + DIGITS] = identity.encode()
        mode = elf.stat().st_mode
        write_atomically(elf, bytes(content))
        elf.chmod(mode)
    return identity


def _place(image: Image) -> int | None:
    """Return the id's offset in the file; None if the image has no id."""
    symbol = image.symbol(SYMBOL)
    section = image.section_at(symbol.address) if symbol else None
    if symbol is None or section is None or section.load_address is None:
        return None
    return section.file_offset + symbol.address - section.address


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
