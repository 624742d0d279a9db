# SPDX-License-Identifier: Apache-2.0
"""`west poweroff` / `pilotlight poweroff`: power an emulated board off."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from pilotlight.targets.power import power_off


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "poweroff", help="power an emulated board down", description="Power a build's emulated board down."
    )
    parser.add_argument("-d", "--build-dir", type=Path, default=Path("build"), help="build folder (default: build)")
    parser.set_defaults(handler=_run)
    return parser


def _run(args: argparse.Namespace) -> int:
    was_on = power_off(args.build_dir)
    print("powered off" if was_on else f"nothing was running from {args.build_dir}")
    return 0
