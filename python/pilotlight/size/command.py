# SPDX-License-Identifier: Apache-2.0
"""`west size` / `pilotlight size`: what the image takes of flash and RAM, and what a change cost."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from rich.console import Console

from pilotlight.size.measure import measure
from pilotlight.size.terminal import render


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "size",
        help="show flash and RAM of the image by region, component, model and layer",
        description="Flash and RAM of a built image by memory region, component, model and layer. "
        "Flash is what the image file holds, RAM what exists at run time only; data that start-up copies are in both.",
    )
    parser.add_argument("-d", "--build-dir", type=Path, default=Path("build"), help="build folder (default: build)")
    parser.add_argument("--json", action="store_true", help="print JSON; save it, and --diff compares with it")
    parser.set_defaults(handler=_run)
    return parser


def _run(args: argparse.Namespace) -> int:
    sizes = measure(args.build_dir)
    if args.json:
        print(json.dumps(sizes.as_json(), indent=1))
    else:
        render(Console(), sizes)
    return 0
