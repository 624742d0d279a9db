# SPDX-License-Identifier: Apache-2.0
"""The `pilotlight` command: all commands by name, and their exit codes.

A command is a module with `add_parser(subparsers) -> ArgumentParser`. The parser's default
`handler` takes the parsed arguments and returns an exit code. Only the module of the command that
runs is loaded, and none may import PyTorch before its handler runs.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

from pilotlight import __version__
from pilotlight.errors import PilotlightError, ToolMissing
from pilotlight.files import storage_full
from pilotlight.paths import HOW_TO_SET_UP


class CommandModule(Protocol):
    def add_parser(self, subparsers: Any) -> argparse.ArgumentParser: ...


@dataclass(frozen=True)
class Command:
    """module: below the package. help: the same line as in the module, for lists of commands."""

    module: str
    help: str

    def load(self) -> CommandModule:
        return cast(CommandModule, importlib.import_module(f"pilotlight.{self.module}"))


COMMANDS = {
    "export": Command("export.command", "quantise and compile a model, and compute its golden outputs"),
    "blame": Command("export.blame.command", "show where a model loses accuracy, operator by operator"),
    "tune": Command("tune.command", "find the cheapest recipe within a tolerance and a budget"),
    "inspect": Command("pte.command", "show the contents of a .pte"),
    "simulate": Command("npu.simulate_command", "run a .pte on the simulated NPU, without firmware"),
    "disassemble": Command("npu.disassemble_command", "show the NPU command streams of a .pte"),
    "build": Command("builder.command", "export a model and build the firmware for a board"),
    "flash": Command("targets.flash_command", "flash the built image to its board; an emulated board is powered up"),
    "poweroff": Command("targets.poweroff_command", "power an emulated board down"),
    "check": Command("check.command", "run the model's data set on the powered target and compare bit for bit"),
    "size": Command("size.command", "show flash and RAM of the image by region, component, model and layer"),
    "listen": Command("listen.command", "stream a WAV file to the keyword app and show the words it detects"),
    "generate": Command("generate.command", "continue a prompt with the text generator on the target"),
    "fault": Command("targets.fault_command", "show the last fault with function and line"),
    "boards": Command("boards.command", "list the boards, their CPUs and NPUs"),
    "fvp-shim": Command("fvp_shim.command", "stand in for Arm's FVP"),
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
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in ("", "pilotlight"):
            raise
        return _failed(lacks_package(error), args)
    except Exception as error:
        full = storage_full(error)
        if full is None:
            raise
        return _failed(full, args)


def lacks_package(error: ModuleNotFoundError) -> ToolMissing:
    """Return the error for a Python package that is not installed."""
    return ToolMissing(
        f"the Python that runs this ({sys.executable}) lacks the package {error.name!r}", hint=HOW_TO_SET_UP
    )


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
    given = sys.argv[1:] if arguments is None else arguments
    # Only the command that is run is loaded. The first word that is no option names it.
    wanted = next((word for word in given if not word.startswith("-")), "")
    for name, command in COMMANDS.items():
        if name == wanted:
            command.load().add_parser(subparsers)
        else:
            subparsers.add_parser(name, help=command.help)
    return run_command(parser.parse_args(given))


if __name__ == "__main__":
    sys.exit(main())
