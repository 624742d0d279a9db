# SPDX-License-Identifier: Apache-2.0
"""Arm's Fixed Virtual Platforms: a board with an NPU of its own.

Parameters are facts of board.toml.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from pilotlight.deadline import Deadline
from pilotlight.errors import EmulatorMissing, TargetError
from pilotlight.npu_names import family_of, macs_of
from pilotlight.targets.child import how_it_ended, last_line
from pilotlight.targets.runner import Descriptors, Runner

_START_DEADLINE_S = 20.0


class Fvp(Runner):
    name = "fvp"

    def find(self) -> Path | None:
        named = os.environ.get("PILOTLIGHT_FVP")
        if not named:
            return super().find()
        path = Path(named)
        path = path / str(self.emulator.executable) if path.is_dir() else path
        if not os.access(path, os.X_OK):
            raise EmulatorMissing(
                f"PILOTLIGHT_FVP={named}: no executable {path}",
                hint="set it to the FVP's executable or to the folder that holds it",
            )
        return path

    def how_to_install(self) -> str:
        npu = self.board.npu.config
        here = "-b qemu-corstone300" + (f" --npu {npu}" if family_of(npu).name == "ethos-u85" else "")
        return (
            f"install Arm's Ecosystem FVP {self.emulator.executable} (free of charge, from Arm's developer site) and "
            f"put it on PATH, or name it in PILOTLIGHT_FVP; without it: {here}"
        )

    def command(self, image: Path, npu: str, inherited: Descriptors) -> list[str]:
        parameters = {str(self.emulator.macs_parameter): str(macs_of(npu)), **self.emulator.parameters}
        options = [word for key, value in parameters.items() for word in ("-C", f"{key}={value}")]
        return [str(self.find()), *options, "-a", str(image)]

    def inherits(self, inherited: Descriptors) -> tuple[int, ...]:
        return ()

    def connect_console(
        self, emulator: subprocess.Popen[bytes], log: Path, stopped: Callable[[], bool]
    ) -> socket.socket | None:
        """The FVP chooses the terminal's port and prints it; it takes no socket."""
        terminal = re.escape(str(self.emulator.terminal)).encode()
        port = re.compile(terminal + rb": Listening for serial connection on port (\d+)")
        deadline = Deadline(_START_DEADLINE_S)
        while not deadline.passed and not stopped():
            if found := port.search(log.read_bytes()):
                return socket.create_connection(("127.0.0.1", int(found[1])), timeout=_START_DEADLINE_S)
            if (code := emulator.poll()) is not None:
                raise TargetError(f"the FVP did not start: {how_it_ended(code)}: {last_line(log)}")
            time.sleep(0.02)
        raise TargetError(f"the FVP named no terminal port within {_START_DEADLINE_S:g} s; see {log}")


RUNNER = Fvp
