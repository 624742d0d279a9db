# SPDX-License-Identifier: Apache-2.0
"""`pilotlight boards`: lists the boards that `west build -b` knows."""

from __future__ import annotations

import argparse
import json
from typing import Any

from pilotlight.boards.board import Board
from pilotlight.boards.read import board_names, load_board


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "boards",
        help="list the boards, their CPUs and NPUs",
        description="List the boards under boards/. The first NPU is the one that a build takes without --npu.",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(handler=_run)
    return parser


def _run(args: argparse.Namespace) -> int:
    boards = [describe(load_board(name)) for name in board_names()]
    if args.json:
        print(json.dumps(boards, indent=2))
        return 0
    width = max(len(board["name"]) for board in boards)
    for board in boards:
        kind = f"{board['emulator'] or 'real'}{', never run' if board['never_run'] else ''}"
        print(f"{board['name']:{width}}  {board['cpu']}, {', '.join(board['npus'])}; {kind}")
    return 0


def describe(board: Board) -> dict[str, Any]:
    """Return what the command prints about a board, as plain data for JSON.

    npus: the board's own NPU, then those that its emulator can have instead. emulator: its kind,
        None for a real board. never_run: images were only built and linked so far.
    """
    others = [npu for npu in board.npu.configurable if npu != board.npu.config]
    return {
        "name": board.name,
        "cpu": board.cpu.core,
        "npus": [board.npu.config, *others],
        "emulator": board.emulator.kind if board.emulator else None,
        "never_run": board.never_run,
        "folder": str(board.folder),
    }
