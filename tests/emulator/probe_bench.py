# SPDX-License-Identifier: Apache-2.0
"""A build folder with the probe image, its target, and a client of its console."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

from pilotlight import targets
from pilotlight.build_folder.build_info import BuildInfo
from pilotlight.deadline import Deadline

PROBE = Path(__file__).resolve().parent / "firmware"
BUILD_ID = "0123456789abcdef"


class Wire:
    """A client of the probe's console: one line out, one line back, each within a deadline."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=5)
        self._received = b""

    def send(self, line: str) -> None:
        self._socket.sendall(line.encode() + b"\n")

    def send_bytes(self, data: bytes) -> None:
        self._socket.sendall(data)

    def read_bytes(self, count: int, timeout_s: float = 10) -> bytes:
        deadline = Deadline(timeout_s)
        while len(self._received) < count:
            self._receive(deadline)
        data, self._received = self._received[:count], self._received[count:]
        return data

    def read_line(self, timeout_s: float = 10) -> str:
        deadline = Deadline(timeout_s)
        while b"\n" not in self._received:
            self._receive(deadline)
        line, _, self._received = self._received.partition(b"\n")
        return line.decode()

    def read_until(self, start: str, timeout_s: float = 10) -> str:
        while not (line := self.read_line(timeout_s)).startswith(start):
            pass
        return line

    def ask(self, line: str, timeout_s: float = 10) -> str:
        self.send(line)
        return self.read_line(timeout_s)

    def close(self) -> None:
        self._socket.close()

    def _receive(self, deadline: Deadline) -> None:
        while True:
            self._socket.settimeout(max(0.001, deadline.remaining))
            try:
                data = self._socket.recv(65536)
                break
            except TimeoutError:
                if deadline.passed:
                    raise
        if not data:
            raise EOFError("the console was closed")
        self._received += data


class Bench:
    """A build folder with a probe image, and its target."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.wire: Wire

    def power_up(
        self, *, npu: str | None = None, idle_limit_s: float = 60, npu_faults: tuple[str, ...] = ()
    ) -> targets.TargetState:
        powered = targets.power_up(self.folder, npu=npu, idle_limit_s=idle_limit_s, npu_faults=npu_faults)
        self.connect()
        return powered.state

    def connect(self) -> None:
        """Connect, and read all that the probe prints when it starts."""
        self.wire = Wire(targets.status(self.folder).console_port)
        self.wire.send("")
        self.wire.read_until("what?")

    def wait_until(self, condition: Callable[[targets.TargetState], bool], timeout_s: float = 5) -> targets.TargetState:
        deadline = Deadline(timeout_s)
        while not condition(state := targets.status(self.folder)):
            assert not deadline.passed, state
            time.sleep(0.01)
        return state


def make_build(folder: Path, board: str, image: Path | None, npu: str = "ethos-u55-128") -> Path:
    """Make a build folder with those files that pilotlight.targets reads."""
    folder.mkdir(parents=True, exist_ok=True)
    BuildInfo(board, board, "probe", BUILD_ID, True, npu, "firmware.elf").save(folder)
    if image is not None:
        (folder / "firmware.elf").unlink(missing_ok=True)
        (folder / "firmware.elf").hardlink_to(image)
    return folder


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
