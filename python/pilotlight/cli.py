# SPDX-License-Identifier: Apache-2.0
"""The `pilotlight` command: all commands by name, and their exit codes.

A command is a module with `add_parser(subparsers) -> ArgumentParser`. The parser's default
`handler` takes the parsed arguments and returns an exit code. Modules are loaded on demand, and
none may import PyTorch before its handler runs.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, Protocol, cast

from pilotlight import __version__
from pilotlight.errors import PilotlightError
from pilotlight.files import storage_full


class CommandModule(Protocol):
    def add_parser(self, subparsers: Any) -> argparse.ArgumentParser: ...


def _module(name: str) -> Callable[[], CommandModule]:
    return lambda: cast(CommandModule, importlib.import_module(f"pilotlight.{name}"))


COMMANDS: dict[str, Callable[[], CommandModule]] = {
    "export": _module("export.command"),
    "blame": _module("export.blame.command"),
    "inspect": _module("pte.command"),
    "simulate": _module("npu.simulate_command"),
    "disassemble": _module("npu.disassemble_command"),
    "build": _module("builder.command"),
    "flash": _module("targets.flash_command"),
    "poweroff": _module("targets.poweroff_command"),
    "check": _module("check.command"),
    "size": _module("size.command"),
    "listen": _module("listen.command"),
    "fault": _module("targets.fault_command"),
    "boards": _module("boards.command"),
    "fvp-shim": _module("fvp_shim.command"),
}


def run_command(args: argparse.Namespace) -> int:
    """Run a parsed command. A PilotlightError becomes one message (or JSON) and its exit code."""
    try:
        return int(args.handler(args))
    except PilotlightError as error:
        return _failed(error, args)
    except BrokenPipeError:
        # The reader of our output has ended (`| head`). Without this line, Python fails again when
        # it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except Exception as error:
        full = storage_full(error)
        if full is None:
            raise
        return _failed(full, args)


def _failed(error: PilotlightError, args: argparse.Namespace) -> int:
    if getattr(args, "json", False):
        report = {
            "error": type(error).__name__,
            "message": str(error),
            "hint": error.hint,
            "exit_code": error.exit_code,
        }
        print(json.dumps(report, indent=2))
    else:
        print(f"error: {error.report()}", file=sys.stderr)
    return error.exit_code


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of `pilotlight`."""
    parser = argparse.ArgumentParser(
        prog="pilotlight", description="From a PyTorch model to a proved Cortex-M55 + Ethos-U firmware image."
    )
    parser.add_argument("--version", action="version", version=f"pilotlight {__version__}")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    for load in COMMANDS.values():
        load().add_parser(subparsers)
    return run_command(parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
