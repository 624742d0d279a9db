# SPDX-License-Identifier: Apache-2.0
"""`west generate` / `pilotlight generate`: text from a prompt, token by token on the target."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "generate",
        help="continue a prompt with the text generator on the target",
        description="Continue a prompt with the text generator (firmware/apps/generate) on the target that `west "
        "flash` powered up. Shows tokens as they arrive, then speed and cost of a token.",
    )
    parser.add_argument("-d", "--build-dir", type=Path, default=Path("build"), help="build folder (default: build)")
    parser.add_argument("--prompt", required=True, metavar="TEXT", help="text to continue")
    parser.add_argument("-n", "--count", type=int, default=32, metavar="N", help="tokens to sample (default: 32)")
    parser.add_argument(
        "--temperature",
        type=float,
        default=0.0,
        metavar="T",
        help="0: always the likeliest token (default); else sample",
    )
    parser.add_argument("--top-k", type=int, default=0, metavar="K", help="sample among the K likeliest (default: all)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="start of the random numbers (default: 0)")
    parser.add_argument("--stop", metavar="TEXT", help="stop after this token")
    parser.add_argument(
        "--verify",
        action="store_true",
        help="compare all tokens with the same loop over the TOSA reference model; takes as long as an export",
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument(
        "--timeout", type=float, default=3600.0, metavar="S", help="limit for the whole command (default: 3600)"
    )
    parser.set_defaults(handler=_run)
    return parser


def _run(args: argparse.Namespace) -> int:
    # Imported here, so that `pilotlight --help` does not load NumPy.
    from rich.console import Console

    from pilotlight.generate import terminal
    from pilotlight.generate.run import Request, generate_text

    def show(text: str) -> None:
        print(text, end="", file=sys.stderr if args.json else sys.stdout, flush=True)

    request = Request(args.prompt, args.count, args.temperature, args.top_k, args.seed, args.stop)

    def progress(line: str) -> None:
        print(line, file=sys.stderr)

    report = generate_text(args.build_dir, request, args.timeout, verify=args.verify, show=show, progress=progress)
    if args.json:
        print(json.dumps(report.to_json(), indent=2))
    else:
        terminal.render(Console(), report)
    return 0
