# SPDX-License-Identifier: Apache-2.0
"""`west fault` / `pilotlight fault`: show the dump of the last fault."""

from __future__ import annotations

import argparse
import json
import secrets
import sys
from pathlib import Path
from typing import Any

from pilotlight.targets.power import can_answer, connect, status
from pilotlight.targets.resets import kept_fault

# Limit for the whole conversation with the target.
TIMEOUT_S = 20.0
_MUTE = (
    "the app of this image does not speak the check protocol, so it was not asked; what its emulated board kept "
    "follows\n  a real board's app sends its own dump (platform::TakeFaultDump(), see firmware/examples/README.md): "
    "west fault --dump FILE"
)


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "fault",
        help="show the last fault with function and line",
        description="Read the dump of the last fault from the powered target, or the one that the last check saved, "
        "and decode it with the build's ELF file.",
    )
    parser.add_argument("-d", "--build-dir", type=Path, default=Path("build"), help="build folder (default: build)")
    parser.add_argument("--dump", type=Path, metavar="FILE", help="decode this file instead")
    parser.add_argument("--json", action="store_true", help="print the fault as JSON")
    parser.set_defaults(handler=_run)
    return parser


def _run(args: argparse.Namespace) -> int:
    from pilotlight.build_folder import BuildFolder
    from pilotlight.errors import ConfigError
    from pilotlight.fault.report import decode_fault

    folder = BuildFolder(args.build_dir)
    saved = folder.fault_dump
    note = ""
    try:
        if args.dump:
            data = args.dump.read_bytes()
        else:
            data, note = _from_target(args.build_dir)
        # If the board reset without a fault, a dump from an earlier check is not the cause.
        if not data and not note and saved.is_file():
            data = saved.read_bytes()
    except OSError as error:
        raise ConfigError(f"{args.dump}: {error.strerror}", hint="--dump takes the bytes that a check saved") from error
    if note:
        print(note, file=sys.stderr)
    if not data:
        print("null" if args.json else "no fault was recorded")
        return 0
    report = decode_fault(data, folder.elf())
    if args.json:
        print(json.dumps(report.to_json(), indent=2))
    else:
        print("\n".join([*report.lines(), *report.registers()]))
    return 0


def _from_target(build_dir: Path) -> tuple[bytes, str]:
    """Return the dump of the target's last fault (b"" if there is none) and a note for the user.

    A target that resets again and again cannot be asked. Its supervisor then has the dump.
    """
    from pilotlight.build_folder import BuildFolder
    from pilotlight.errors import LinkTimeout, TargetDied
    from pilotlight.files import write_atomically

    state = status(build_dir)
    if state.resets_repeatedly:
        return kept_fault(build_dir), f"{state.board}: {state.reason}"
    if not state.running:
        if state.died:
            print(f"{state.board}: {state.reason}", file=sys.stderr)
        return kept_fault(build_dir), ""
    if not can_answer(build_dir):
        return kept_fault(build_dir), _MUTE
    try:
        data = _ask(build_dir)
    except (LinkTimeout, TargetDied) as error:
        after = status(build_dir)
        if not after.reboots:
            raise
        if after.resets_repeatedly:
            return kept_fault(build_dir), f"{after.board}: {after.reason}"
        times = "once" if after.reboots == 1 else f"{after.reboots} times"
        return kept_fault(build_dir), f"{after.board} has reset {times} since it was powered up: {error}"
    if data:
        write_atomically(BuildFolder(build_dir).fault_dump, data)
    return data, ""


def _ask(build_dir: Path) -> bytes:
    """Return the dump that the running target sends; b"" if it has none."""
    from pilotlight.deadline import Deadline
    from pilotlight.link import Session, open_link
    from pilotlight.link.messages import NONCE_BYTES

    deadline = Deadline(TIMEOUT_S)
    link = open_link(connect(build_dir), deadline)
    try:
        session = Session(link)
        session.identify(secrets.token_bytes(NONCE_BYTES), deadline)
        return session.read_fault(deadline)
    finally:
        link.close()
