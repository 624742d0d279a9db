# SPDX-License-Identifier: Apache-2.0
"""`west flash` / `pilotlight flash`: power up the emulated board with the built image."""

from __future__ import annotations

import argparse
import json
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pilotlight.boards import load_board
from pilotlight.errors import ConfigError
from pilotlight.targets.power import IDLE_LIMIT_S, PoweredTarget, await_first_word, board_of, power_up

_CONNECT_S = 20.0


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "flash",
        help="flash the built image to its board; an emulated board is powered up",
        description="Put the built image on its board. An emulated board is powered up with the NPU simulator behind "
        "it and stays on until `west poweroff`, or until it has been idle for the idle limit.",
    )
    parser.add_argument("-d", "--build-dir", type=Path, default=Path("build"), help="build folder (default: build)")
    parser.add_argument("-r", "--runner", help="how to flash; emulated boards have one runner, named like the emulator")
    parser.add_argument("--npu", help="NPU the emulated board has (default: the one the model was exported for)")
    parser.add_argument(
        "--idle-limit",
        type=float,
        default=IDLE_LIMIT_S,
        metavar="S",
        help=f"power off when unused for S seconds (default: {IDLE_LIMIT_S:g})",
    )
    parser.add_argument("--attach", action="store_true", help="then show the target's log until Ctrl-C")
    parser.add_argument("--json", action="store_true", help="print the target's state as JSON")
    parser.set_defaults(handler=_run)
    return parser


def _run(args: argparse.Namespace) -> int:
    board = load_board(board_of(args.build_dir))
    runner = board.emulator.kind if board.emulator else "host"
    if args.runner not in (None, runner):
        raise ConfigError(f"{board.name} has no runner {args.runner!r}", hint=f"west flash -r {runner}")
    if args.idle_limit <= 0:
        raise ConfigError(f"--idle-limit {args.idle_limit:g}: must be more than 0 seconds", hint="--idle-limit 900")
    target = power_up(args.build_dir, npu=args.npu, idle_limit_s=args.idle_limit)
    await_first_word(args.build_dir)
    if args.json:
        print(json.dumps({**asdict(target.state), "url": target.url}, indent=2))
    else:
        _tell(target, args)
    if args.attach:
        _attach(target)
    return 0


def _tell(target: PoweredTarget, args: argparse.Namespace) -> None:
    state = target.state
    folder = "" if args.build_dir == Path("build") else f" -d {shlex.quote(str(args.build_dir))}"
    print(f"{state.board} is on, running {state.model} (build id {state.build_id}) with NPU {state.npu}")
    print(
        f"console {target.url}; off after {args.idle_limit:g} s without use, or with: west poweroff{folder}", flush=True
    )


def _attach(target: PoweredTarget) -> None:
    from pilotlight.deadline import Deadline
    from pilotlight.link import open_link
    from pilotlight.link.follow import follow

    link = open_link(target.url, Deadline(_CONNECT_S))
    try:
        for line in follow(link):
            print(line, flush=True)
    except KeyboardInterrupt:
        print("detached; the board stays on")
    finally:
        link.close()
