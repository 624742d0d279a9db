# SPDX-License-Identifier: Apache-2.0
"""`python -m pilotlight.codegen BUNDLE --board BOARD --runtime ours|package --out DIR`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pilotlight.boards import load_board
from pilotlight.cli import run_command
from pilotlight.codegen.generate import RUNTIMES, generate_models


def _run(args: argparse.Namespace) -> int:
    generate_models([args.bundle], load_board(args.board), args.runtime, args.out)
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m pilotlight.codegen", description=__doc__)
    parser.add_argument("bundle", type=Path, help="folder written by export")
    parser.add_argument("--board", required=True, help="folder under boards/, or the path of a board.toml")
    parser.add_argument("--runtime", required=True, choices=RUNTIMES, help="ExecuTorch runtime the image links")
    parser.add_argument("--out", type=Path, required=True, help="folder for model_<name>.h, .c and .S")
    parser.set_defaults(handler=_run)
    return run_command(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
