# SPDX-License-Identifier: Apache-2.0
"""The `west` commands: each is the `pilotlight` command of the same name.

West passes us the same kind of sub-parser collection that argparse gives the `pilotlight` command,
so a command is declared once, in its own package, and both front ends show the same options.

West imports this file by its path, with whatever Python west itself was installed for. The clone in the workspace is
the one that is used, even when that Python has another one installed.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from west.commands import WestCommand

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from pilotlight.cli import COMMANDS, run_command
from pilotlight.errors import ToolMissing
from pilotlight.paths import HOW_TO_SET_UP


class _Shared(WestCommand):  # type: ignore[misc]
    """A west command that is the `pilotlight` command `command`."""

    command = ""

    def __init__(self) -> None:
        super().__init__(self.command, f"pilotlight {self.command}", "", accepts_unknown_args=False)

    def do_add_parser(self, parser_adder: Any) -> ArgumentParser:
        try:
            return COMMANDS[self.command]().add_parser(parser_adder)
        except ModuleNotFoundError as error:
            # An exception of ours would reach the user as west's own traceback.
            missing = ToolMissing(
                f"the Python that runs west ({sys.executable}) lacks the package {error.name!r}", hint=HOW_TO_SET_UP
            )
            print(f"error: {missing.report()}", file=sys.stderr)
            sys.exit(missing.exit_code)

    def do_run(self, args: Namespace, unknown: list[str]) -> None:
        sys.exit(run_command(args))


class Build(_Shared):
    command = "build"


class Flash(_Shared):
    command = "flash"


class Check(_Shared):
    command = "check"


class Listen(_Shared):
    command = "listen"


class PowerOff(_Shared):
    command = "poweroff"


class Fault(_Shared):
    command = "fault"


class Size(_Shared):
    command = "size"
