# SPDX-License-Identifier: Apache-2.0
"""The interface between the supervisor and an emulator of any kind."""

from __future__ import annotations

import shutil
import socket
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from pilotlight.boards import Board, Emulator
from pilotlight.errors import EmulatorMissing


@dataclass(frozen=True)
class Descriptors:
    """File descriptors that the emulator inherits: console, doorbell, shared memory and monitor.

    monitor: -1 if no process uses it.
    """

    console: int
    line: int
    shared: int
    monitor: int = -1

    def open(self) -> tuple[int, ...]:
        return tuple(number for number in (self.console, self.line, self.shared, self.monitor) if number >= 0)


class Runner(ABC):
    """Starts one kind of emulator. Subclasses hold no state of a running emulator.

    name: as in board.toml and in `west flash --runner`.
    reset_code: exit code with which the emulator asks to be started again, None if a reset does not
        end it.
    keeps_dump_in_page: the device itself reads an earlier fault's dump in the mailbox page.
        Otherwise the dump there is a copy.
    """

    name: ClassVar[str]
    reset_code: ClassVar[int | None] = None
    keeps_dump_in_page: ClassVar[bool] = False

    def __init__(self, board: Board, emulator: Emulator) -> None:
        self.board, self.emulator = board, emulator

    def find(self) -> Path | None:
        """Return the emulator's executable, or None if the image itself is the program.

        Raises EmulatorMissing if it is not installed.
        """
        executable = self.emulator.executable
        if executable is None:
            return None
        found = shutil.which(executable)
        if found is None:
            hint = self.how_to_install()
            raise EmulatorMissing(f"{self.board.name} needs {executable}, which is not on PATH", hint=hint)
        return Path(found)

    def how_to_install(self) -> str:
        return f"apt-get install {self.emulator.debian_package or self.emulator.executable}"

    @abstractmethod
    def command(self, image: Path, npu: str, inherited: Descriptors) -> list[str]:
        """Return the command line that starts the board with `image` and this NPU."""

    def environment(self, inherited: Descriptors) -> dict[str, str]:
        """Return environment variables of the emulator besides those of this process."""
        return {}

    def inherits(self, inherited: Descriptors) -> tuple[int, ...]:
        """Return the descriptors that the emulator uses."""
        return inherited.open()

    def connect_console(
        self, emulator: subprocess.Popen[bytes], log: Path, stopped: Callable[[], bool]
    ) -> socket.socket | None:
        """Return the console if the emulator has a socket of its own, None if it inherits one.

        log: the emulator's output. stopped: whether to give up. Raises TargetError.
        """
        return None

    def explain_end(self, said: str) -> str | None:
        """Return the reason in words if the emulator's last output says more than its exit code."""
        return None
