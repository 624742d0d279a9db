# SPDX-License-Identifier: Apache-2.0
"""The last step of a build: `python -m pilotlight.proof.step`. See cmake/model.cmake.

An image that fails the proof is renamed, so that nothing can flash it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pilotlight.boards import load_board
from pilotlight.cli import run_command
from pilotlight.elf import Image
from pilotlight.errors import NotProved
from pilotlight.proof.prove import prove


def _run(args: argparse.Namespace) -> int:
    refused = args.elf.with_name(args.elf.name + ".refused")
    refused.unlink(missing_ok=True)
    board = load_board(args.board)
    image = Image.load(args.elf, for_arm=board.cpu.core != "host")
    try:
        for bundle in args.bundle:
            prove(image, bundle, board, args.executorch)
    except NotProved:
        args.elf.rename(refused)
        raise
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--elf", type=Path, required=True)
    parser.add_argument("--bundle", type=Path, required=True, action="append")
    parser.add_argument("--board", required=True)
    parser.add_argument("--executorch", required=True, help="version of the runtime in the image")
    parser.set_defaults(handler=_run)
    return run_command(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
