# SPDX-License-Identifier: Apache-2.0
"""`pilotlight tune`: finds the cheapest recipe within a tolerance and a budget."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from pilotlight.errors import ConfigError, NoRecipeFits
from pilotlight.export.command import add_recipe_option

_TRIALS = 40
_INTERRUPTED = 130


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "tune",
        help="find the cheapest recipe within a tolerance and a budget",
        description="Try recipes of quantisation and find the cheapest one within a tolerance and a budget. The same "
        "command again continues the search, and several processes may share its storage.",
    )
    parser.add_argument("model", help="name under python/models, or path of a model file")
    parser.add_argument("--npu", default="ethos-u55-128", help="NPU (default: ethos-u55-128)")
    parser.add_argument("-o", "--out", type=Path, metavar="DIR", help="folder of the report (default: tune-MODEL)")
    parser.add_argument(
        "--tolerance",
        default="25dB",
        metavar="LIMIT",
        help="25dB: SQNR of the worst output against FP32, at least; 0.3points: loss of the metric in percentage "
        "points, at most; 0.5%%: loss of the metric as a share of FP32's (default: 25dB)",
    )
    parser.add_argument("--max-cycles", type=_whole, metavar="N", help="most cycles of the NPU, as Vela estimates them")
    parser.add_argument("--max-flash", type=_whole, metavar="BYTES", help="largest .pte")
    parser.add_argument("--max-ram", type=_whole, metavar="BYTES", help="largest arenas together")
    parser.add_argument(
        "--minimise",
        choices=("cycles", "flash", "ram"),
        default="cycles",
        help="the cost that decides (default: cycles)",
    )
    parser.add_argument(
        "--trials",
        type=_whole,
        default=_TRIALS,
        metavar="N",
        help=f"recipes to try, with earlier runs (default: {_TRIALS})",
    )
    parser.add_argument("--minutes", type=float, metavar="M", help="start no trial after this time")
    parser.add_argument("--jobs", type=_whole, default=1, metavar="N", help="processes (default: 1)")
    parser.add_argument(
        "--storage",
        metavar="WHERE",
        help="where the trials are kept: a file, or a database's URL for Optuna (default: tune.journal in DIR)",
    )
    add_recipe_option(parser)
    parser.add_argument("--json", action="store_true", help="print the report as JSON, and no progress")
    parser.set_defaults(handler=_run)
    return parser


def _whole(text: str) -> int:
    try:
        number = int(text.replace("_", "").replace(",", ""))
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return number


def _run(args: argparse.Namespace) -> int:
    from rich.console import Console

    from pilotlight.export_options import ExportOptions
    from pilotlight.tune.goal import Budget, Goal, Tolerance
    from pilotlight.tune.output import write
    from pilotlight.tune.terminal import render

    if args.minutes is not None and args.minutes <= 0:
        raise ConfigError(f"--minutes {args.minutes}: no trial would start", hint="--minutes 10")
    goal = Goal(Tolerance.parse(args.tolerance), Budget(args.max_cycles, args.max_flash, args.max_ram), args.minimise)
    console = Console(highlight=False)

    def tell(line: str) -> None:
        if not args.json:
            console.print(line, markup=False, soft_wrap=True)

    # Imported here and not at the top, because this imports PyTorch.
    from pilotlight.tune.run import TuneOptions, tune_model

    out = args.out or Path(f"tune-{Path(args.model).stem}")
    storage = args.storage or str(out / "tune.journal")
    asked = TuneOptions(goal, args.trials, args.minutes, args.jobs, storage)
    report = tune_model(args.model, ExportOptions(args.npu, quantisation=args.quantise), asked, tell)
    write(report, out)
    failure = None
    if report.chosen is None:
        failure = NoRecipeFits(
            f"no recipe of {len(report.trials)} is within {report.tolerance}"
            + (f" and {report.budget}" if report.budget else ""),
            hint="what the reasons name; another --tolerance or --npu; more --trials",
        )
    if args.json:
        print(report.to_json(), end="")
    else:
        console.print(render(report))
        console.print(f"written to {out / 'tune.html'} and {out / 'tune.json'}", markup=False, soft_wrap=True)
    if report.interrupted:
        return _INTERRUPTED
    if failure is not None and args.json:
        return failure.exit_code
    if failure is not None:
        raise failure
    return 0
