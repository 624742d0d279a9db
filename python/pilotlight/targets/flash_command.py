# SPDX-License-Identifier: Apache-2.0
"""`west flash` / `pilotlight flash`: power the build's board up with its image."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pilotlight.errors import ConfigError


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "flash",
        help="power the build's board up with its image",
        description="Power the build's board up with its image. It stays on, in the background, until `west poweroff`, "
        "the next `west flash` of the same build folder, or until nobody has used it for a while.",
    )
    parser.add_argument("-d", "--build-dir", type=Path, default=Path("build"), help="build folder (default: build)")
    parser.add_argument("-r", "--runner", help="how to get the image onto the board (default: the only way there is)")
    parser.add_argument(
        "--npu", help="NPU that an emulated board is to have (default: the one the model was exported for)"
    )
    parser.add_argument("--idle-limit", type=float, metavar="S", help="power off after S unused seconds (default: 900)")
    parser.add_argument("--attach", action="store_true", help="show what the firmware logs, until Ctrl-C")
    parser.add_argument("--json", action="store_true", help="print the target's state as JSON")
    parser.set_defaults(handler=_run)
    return parser


def _run(args: argparse.Namespace) -> int:
    from pilotlight.targets.power import IDLE_LIMIT_S, power_up, runner_of

    runner = runner_of(args.build_dir)
    if args.runner not in (None, runner):
        raise ConfigError(f"this board has no runner {args.runner!r}", hint=f"-r {runner}, or leave it out")
    if args.idle_limit is not None and args.idle_limit <= 0:
        raise ConfigError(f"--idle-limit {args.idle_limit:g}: must be more than 0 seconds")
    powered = power_up(args.build_dir, npu=args.npu, idle_limit_s=args.idle_limit or IDLE_LIMIT_S)
    if args.json:
        print(json.dumps({"url": powered.url, **asdict(powered.state)}, indent=2))
    else:
        state = powered.state
        print(f"{state.board} is on: model {state.model}, NPU {state.npu}, console {powered.url}")
    if args.attach:
        _attach(powered.url)
    return 0


def _attach(url: str) -> None:
    """Print the firmware's log until the user has seen enough; the board stays on."""
    from pilotlight.link import Deadline, open_link
    from pilotlight.link.follow import follow

    link = open_link(url, Deadline(10))
    print("showing the firmware's log; Ctrl-C leaves, the board stays on", flush=True)
    try:
        for line in follow(link):
            print(line, flush=True)
    except KeyboardInterrupt:
        print()
    finally:
        link.close()
