# SPDX-License-Identifier: Apache-2.0
"""`pilotlight export`: makes a bundle from a PyTorch model, without building firmware."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from pilotlight.export import ExportOptions, export_model
from pilotlight.recipe import OBSERVERS, PRECISIONS, PRESETS, WORDS


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "export",
        help="quantise and compile a model, and compute its golden outputs",
        description="Quantise a PyTorch model, compile it for an Ethos-U, and write the .pte with golden outputs and "
        "a report to a folder, which is replaced as a whole.",
    )
    parser.add_argument(
        "model", help="name under python/models, or path of a model file (.py) or exported program (.pt2)"
    )
    parser.add_argument("--npu", required=True, help="NPU as Arm names it: ethos-u55-128")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the bundle")
    parser.add_argument("--system-config", help="Vela system configuration (default: ExecuTorch's for the NPU)")
    parser.add_argument("--memory-mode", help="Vela memory mode (default: ExecuTorch's for the NPU)")
    parser.add_argument(
        "--float-io",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="float32 inputs and outputs on the device (default: int8, or what the model file says)",
    )
    add_recipe_option(parser)
    parser.add_argument("--require-full-delegation", action="store_true", help="fail when an operator stays on the CPU")
    parser.add_argument("--json", action="store_true", help="print the report as JSON, and no progress")
    parser.set_defaults(handler=_run)
    return parser


def add_recipe_option(parser: argparse.ArgumentParser) -> None:
    """Add --quantise, whose help lists what a recipe can say."""
    parser.add_argument(
        "--quantise",
        metavar="RECIPE",
        help="how to quantise (default: int8, or what the model file says): a precision "
        f"({', '.join(PRECISIONS)}), presets ({', '.join(f'+{name}' for name in PRESETS)}), then options and settings "
        f"after colons: observer={'|'.join(OBSERVERS)}, percentile=99.9, epsilon=2^-20, and WHERE=PRECISION,OBSERVER, "
        f"where WHERE is an operator (gelu), a word ({', '.join(WORDS)}), type.CLASS or name.PATH of a module with * "
        'in it. Example: "a16w8:matmul=int8:name.head=int8,mse"',
    )


def _run(args: argparse.Namespace) -> int:
    from rich.console import Console

    from pilotlight.export.report.terminal import render

    console = Console(highlight=False)

    def tell(line: str) -> None:
        if not args.json:
            console.print(line, markup=False)

    options = ExportOptions(
        args.npu,
        args.system_config,
        args.memory_mode,
        args.float_io,
        args.require_full_delegation,
        quantisation=args.quantise,
    )
    report = export_model(args.model, options, args.output, progress=tell)
    if args.json:
        print(report.to_json(), end="")
    else:
        console.print(render(report))
        console.print(f"written to {args.output}", markup=False)
    return 0
