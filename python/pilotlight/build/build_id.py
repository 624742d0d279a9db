# SPDX-License-Identifier: Apache-2.0
"""Writes the build id of an image as a C header and as text: `python -m pilotlight.build.build_id`."""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path

from pilotlight.files import write_if_changed

_HEADER = """\
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* First 16 hexadecimal digits of the SHA-256 of everything that went into this image. */
#define PILOTLIGHT_BUILD_ID "{build_id}"
"""


def build_id(inputs: list[Path], root: Path, toolchain: str) -> str:
    """Hash names (relative to `root` where they lie in it) and contents; 16 hexadecimal digits.

    Where the checkout lies does not matter: equal sources give equal ids in any folder.
    """
    digest = hashlib.sha256(toolchain.encode())
    for path in inputs:
        name = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
        digest.update(f"\0{name}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=Path, required=True, help="text file, one path a line")
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--toolchain", required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    inputs = [Path(line) for line in args.inputs.read_text(encoding="utf-8").splitlines()]
    identity = build_id(inputs, args.root, args.toolchain)
    write_if_changed(args.out / "include" / "pilotlight" / "build_id.h", _HEADER.format(build_id=identity))
    write_if_changed(args.out / "build_id.txt", identity + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
