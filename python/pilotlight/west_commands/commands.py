# SPDX-License-Identifier: Apache-2.0
"""The `west` commands. Each is the `pilotlight` command of the same name.

West passes the same kind of sub-parser collection as argparse. So a command is declared once, in
its own package, and both front ends show the same options.

West imports this file by its path, with the Python that west was installed for. The path below
makes that Python use the `pilotlight` package of this workspace, even if it has another one
installed.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from west.commands import WestCommand

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from pilotlight.cli import COMMANDS, lacks_package, run_command


class _Shared(WestCommand):  # type: ignore[misc]
    """A west command that runs the `pilotlight` command named `command`."""

    command = ""

    def __init__(self) -> None:
        super().__init__(self.command, f"pilotlight {self.command}", "", accepts_unknown_args=False)

    def do_add_parser(self, parser_adder: Any) -> ArgumentParser:
        try:
            return COMMANDS[self.command].load().add_parser(parser_adder)
        except ModuleNotFoundError as error:
            # The error is not raised, because west would show a traceback for our exception.
            missing = lacks_package(error)
            print(f"error: {missing.report()}", file=sys.stderr)
            sys.exit(missing.exit_code)

    def do_run(self, args: Namespace, unknown: list[str]) -> None:
        sys.exit(run_command(args))


def __getattr__(name: str) -> type[_Shared]:
    """Return the class of the command `name`. West asks for the names in west-commands.yml."""
    if name not in COMMANDS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return type(name, (_Shared,), {"command": name})
