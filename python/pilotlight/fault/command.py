# SPDX-License-Identifier: Apache-2.0
"""`west fault` / `pilotlight fault`: what a device left behind when it faulted."""

from __future__ import annotations

import argparse
import json
import secrets
from pathlib import Path
from typing import Any

# How long the target may take to answer.
TIMEOUT_S = 20.0


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "fault",
        help="decode what a fault left behind to function and line",
        description="Read the dump of the last fault from the powered target, or the one that the last check saved, "
        "and decode it with the build's firmware.elf.",
    )
    parser.add_argument("-d", "--build-dir", type=Path, default=Path("build"), help="build folder (default: build)")
    parser.add_argument("--dump", type=Path, metavar="FILE", help="decode this file instead")
    parser.add_argument("--json", action="store_true", help="print the fault as JSON")
    parser.set_defaults(handler=_run)
    return parser


def _run(args: argparse.Namespace) -> int:
    from pilotlight.errors import ConfigError
    from pilotlight.fault.report import FAULT_FILE, decode_fault

    saved = args.build_dir / FAULT_FILE
    try:
        data = args.dump.read_bytes() if args.dump else _from_target(args.build_dir)
        if not data and saved.is_file():
            data = saved.read_bytes()
    except OSError as error:
        raise ConfigError(f"{args.dump}: {error.strerror}", hint="--dump takes the bytes that a check saved") from error
    if not data:
        print("null" if args.json else "no fault was recorded")
        return 0
    report = decode_fault(data, args.build_dir / "firmware.elf")
    if args.json:
        print(json.dumps(report.to_json(), indent=2))
    else:
        print("\n".join([*report.lines(), *report.registers()]))
    return 0


def _from_target(build_dir: Path) -> bytes:
    """Return the dump that the running target holds; b"" when there is none, or nothing is running."""
    from pilotlight import targets
    from pilotlight.deadline import Deadline
    from pilotlight.fault.report import FAULT_FILE
    from pilotlight.files import write_atomically
    from pilotlight.link import Session, open_link
    from pilotlight.link.messages import NONCE_BYTES

    if not targets.status(build_dir).running:
        return b""
    deadline = Deadline(TIMEOUT_S)
    link = open_link(targets.connect(build_dir), deadline)
    try:
        session = Session(link)
        session.identify(secrets.token_bytes(NONCE_BYTES), deadline)
        data = session.read_fault(deadline)
    finally:
        link.close()
    if data:
        write_atomically(build_dir / FAULT_FILE, data)
    return data
