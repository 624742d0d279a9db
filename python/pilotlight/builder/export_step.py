# SPDX-License-Identifier: Apache-2.0
"""The export as a step of a CMake build: `python -m pilotlight.builder.export_step`.

See cmake/model.cmake.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pilotlight.boards import load_board
from pilotlight.build_folder import read_options
from pilotlight.builder.exports import export_if_needed, write_depfile
from pilotlight.bundle import load_model_info
from pilotlight.cli import run_command


def _run(args: argparse.Namespace) -> int:
    export_if_needed(
        args.model,
        read_options(args.options).for_export(load_board(args.board)),
        args.bundle,
        lambda step: print(f"export: {step}", flush=True),
    )
    info = load_model_info(args.bundle)
    for text in (*info.warnings, *info.weak):
        print(f"export: warning: {text}", flush=True)
    write_depfile(args.bundle, args.bundle / "model.json", args.depfile)
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--board", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--options", type=Path, action="append", default=[], help="a later file overrides an earlier")
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--depfile", type=Path, required=True)
    parser.set_defaults(handler=_run)
    return run_command(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
