# SPDX-License-Identifier: Apache-2.0
"""`west size` / `pilotlight size`: print flash and RAM of the image, or the cost of a change."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pilotlight.errors import ConfigError, GrewTooMuch

if TYPE_CHECKING:
    from pilotlight.size.record import Sizes


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "size",
        help="show flash and RAM of the image by region, component, model and layer",
        description="Flash and RAM of a built image by memory region, component, model and layer. "
        "Flash is what the image file holds, RAM what exists at run time only; data that start-up copies are in both.",
    )
    parser.add_argument("-d", "--build-dir", type=Path, default=Path("build"), help="build folder (default: build)")
    parser.add_argument("--json", action="store_true", help="print JSON; save it, and --diff compares with it")
    parser.add_argument("--html", type=Path, metavar="FILE", help="also write tables and a picture as one HTML file")
    parser.add_argument(
        "--diff",
        metavar="REF",
        help="print what changed since REF: another build folder, a file saved from --json, or a git revision, "
        "which is built once with the same settings",
    )
    parser.add_argument(
        "--fail-above",
        type=int,
        metavar="BYTES",
        help="with --diff: fail when flash or RAM grew by more than this",
    )
    parser.set_defaults(handler=_run)
    return parser


def _run(args: argparse.Namespace) -> int:
    if args.fail_above is not None and args.diff is None:
        raise ConfigError("--fail-above needs --diff", hint="west size --diff HEAD --fail-above 1024")
    # Loaded here, so that help and errors in the options come at once.
    from rich.console import Console

    from pilotlight.size.measure import measure
    from pilotlight.size.terminal import render

    sizes = measure(args.build_dir)
    if args.html is not None:
        from pilotlight.size.html import write_html

        write_html(sizes, args.html)
    if args.diff is not None:
        return _compare(args, sizes)
    if args.json:
        print(json.dumps(sizes.as_json(), indent=1))
    else:
        render(Console(), sizes)
    return 0


def _compare(args: argparse.Namespace, sizes: Sizes) -> int:
    from rich.console import Console

    from pilotlight.size.difference import compare
    from pilotlight.size.reference import sizes_of
    from pilotlight.size.terminal import render_difference

    console = Console(stderr=args.json)
    difference = compare(sizes_of(args.diff, args.build_dir, console), sizes)
    grew = args.fail_above is not None and difference.growth_bytes > args.fail_above
    error = GrewTooMuch(
        f"the image grew by {difference.growth_bytes:,} bytes; --fail-above allows {args.fail_above or 0:,}",
        hint="the report lists the largest changes first",
    )
    if args.json:
        print(json.dumps({**difference.as_json(), "grew_too_much": grew}, indent=1))
        return error.exit_code if grew else 0
    render_difference(console, difference)
    if grew:
        raise error
    return 0
