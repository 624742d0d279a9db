# SPDX-License-Identifier: Apache-2.0
"""The ways to run an image on a board: one file each.

A board names its runner in board.toml, `[emulator] kind`. The name of the runner is that of the
file.
"""

from __future__ import annotations

from importlib import import_module

from pilotlight.boards import Board
from pilotlight.errors import ConfigError
from pilotlight.targets.runner import Descriptors, Runner

__all__ = ["Descriptors", "Runner", "runner_of"]


def runner_of(board: Board) -> Runner:
    """Return the board's runner. Raises ConfigError if the board is not emulated."""
    if board.emulator is None:
        raise ConfigError(f"{board.name} is not emulated", hint="flash it with its own tool")
    runner: type[Runner] = import_module(f"{__name__}.{board.emulator.kind}").RUNNER
    return runner(board, board.emulator)
