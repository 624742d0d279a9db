# SPDX-License-Identifier: Apache-2.0
"""`west check` / `pilotlight check`: check the outputs of the powered target."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "check",
        help="run the model's data set on the powered target and compare bit for bit",
        description="Run the model's data set on the target that `west flash` powered up, and compare each output bit "
        "for bit with the golden one. Exit code 0 only when all that was asked for was proved.",
    )
    parser.add_argument("-d", "--build-dir", type=Path, default=Path("build"), help="build folder (default: build)")
    parser.add_argument(
        "--samples", type=int, help="check only the first N samples; the verdict is then at most PARTIAL"
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a report with pictures")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("--log", action="store_true", help="show all of the device's log, not only errors")
    parser.add_argument(
        "--retries", type=int, default=0, metavar="N", help="tolerate N damaged frames, and report them (default: 0)"
    )
    parser.add_argument(
        "--timeout", type=float, default=3600.0, metavar="S", help="limit for the whole command (default: 3600)"
    )
    parser.add_argument(
        "--run-timeout", type=float, default=120.0, metavar="S", help="limit for each inference (default: 120)"
    )
    parser.set_defaults(handler=_run)
    return parser


def _run(args: argparse.Namespace) -> int:
    # Imported here, so that `pilotlight --help` does not load NumPy and Matplotlib.
    from rich.console import Console

    from pilotlight.check import terminal
    from pilotlight.check.run import run_check

    console = Console(stderr=args.json)
    with terminal.progress(console, show_log=args.log) as listener:
        report = run_check(
            args.build_dir,
            samples=args.samples,
            timeout_s=args.timeout,
            run_timeout_s=args.run_timeout,
            retries=args.retries,
            listener=listener,
        )
    if args.html:
        from pilotlight.check.html import write_html

        write_html(report, args.html)
    failure = report.failure
    if args.json:
        print(json.dumps(report.to_json(), indent=2))
        return failure.exit_code if failure else 0
    terminal.render(console, report)
    if args.html:
        console.print(f"report: {args.html}", highlight=False)
    if failure:
        raise failure
    return 0
