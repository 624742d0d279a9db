# SPDX-License-Identifier: Apache-2.0
"""The ways to run an image on a board: one file each. A board names its runner in board.toml, [emulator] kind."""

from pilotlight.boards import Board
from pilotlight.errors import ConfigError
from pilotlight.targets.runners.fvp import Fvp
from pilotlight.targets.runners.process import Process
from pilotlight.targets.runners.qemu import Qemu
from pilotlight.targets.runners.runner import Descriptors, Runner

__all__ = ["RUNNERS", "Descriptors", "Runner", "runner_of"]

RUNNERS: dict[str, type[Runner]] = {runner.name: runner for runner in (Qemu, Fvp, Process)}


def runner_of(board: Board) -> Runner:
    """Return the board's runner. Raises ConfigError if the board is not emulated."""
    if board.emulator is None:
        raise ConfigError(f"{board.name} is not emulated", hint="flash it with its own tool")
    return RUNNERS[board.emulator.kind](board, board.emulator)
