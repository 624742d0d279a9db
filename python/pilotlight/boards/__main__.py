# SPDX-License-Identifier: Apache-2.0
"""`python -m pilotlight.boards`: cmake/board.cmake calls this at configure time."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path

from pilotlight.boards.build_files import generate
from pilotlight.boards.read import load_board
from pilotlight.errors import PilotlightError


def main(arguments: list[str] | None = None) -> int:
    parser = ArgumentParser(prog="python -m pilotlight.boards")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("generate", help="write the files the build derives from board.toml")
    command.add_argument("board", help="a name under boards/, or the path of a board's folder")
    command.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(arguments)
    try:
        generate(load_board(args.board), args.out)
    except PilotlightError as error:
        print(error.report(), file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
