# SPDX-License-Identifier: Apache-2.0
"""`pilotlight blame`: shows which operator loses accuracy, and on which stage."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from pilotlight.errors import ConfigError
from pilotlight.export.command import add_recipe_option

_SAMPLES = 4


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "blame",
        help="show where a model loses accuracy, operator by operator",
        description="Run a model in FP32, in quantised PyTorch, on the TOSA reference model and on the NPU simulator, "
        "and show each operator's result against the stage before, with the first one that diverges.",
    )
    parser.add_argument("model", help="name under python/models, or path of a model file")
    parser.add_argument("--npu", default="ethos-u55-128", help="NPU (default: ethos-u55-128)")
    add_recipe_option(parser)
    parser.add_argument(
        "--samples", type=int, default=_SAMPLES, metavar="N", help=f"samples to run (default: {_SAMPLES})"
    )
    parser.add_argument("--picture", type=Path, metavar="FILE", help="also draw it: .png, .svg or .pdf")
    parser.add_argument("--json", action="store_true", help="print the results as JSON, and no progress")
    parser.set_defaults(handler=_run)
    return parser


def _run(args: argparse.Namespace) -> int:
    from rich.console import Console

    from pilotlight.export.blame.picture import FORMATS, draw
    from pilotlight.export.blame.terminal import render
    from pilotlight.export_options import ExportOptions

    if args.samples < 1:
        raise ConfigError(f"--samples {args.samples}: nothing would be shown", hint="--samples 4")
    if args.picture is not None and args.picture.suffix not in FORMATS:
        raise ConfigError(f"--picture {args.picture}: not a format that can be drawn", hint=", ".join(FORMATS))
    console = Console(highlight=False)

    def tell(line: str) -> None:
        if not args.json:
            console.print(line, markup=False)

    # Imported here and not at the top, because this imports PyTorch.
    from pilotlight.export.blame.run import blame_model

    found = blame_model(args.model, ExportOptions(args.npu, quantisation=args.quantise), args.samples, tell)
    if args.picture is not None:
        draw(found, args.picture)
    if args.json:
        print(found.to_json(), end="")
    else:
        console.print(render(found))
        if args.picture is not None:
            console.print(f"drawn to {args.picture}", markup=False)
    return 0
