# SPDX-License-Identifier: Apache-2.0
"""`west poweroff` / `pilotlight poweroff`: power the build's board off."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "poweroff", help="power the build's board off", description="Power the build's board off. No process is left."
    )
    parser.add_argument("-d", "--build-dir", type=Path, default=Path("build"), help="build folder (default: build)")
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON")
    parser.set_defaults(handler=_run)
    return parser


def _run(args: argparse.Namespace) -> int:
    from pilotlight.targets.power import power_off

    was_on = power_off(args.build_dir)
    if args.json:
        print(json.dumps({"was_on": was_on}))
    else:
        print("powered off" if was_on else "it was off")
    return 0
