# SPDX-License-Identifier: Apache-2.0
"""Runs an image: the emulator is a child process, and this process is its NPU.

The emulator ends when this process ends, and this process ends when its caller does, whatever the
cause. The emulator starts before the simulator is loaded, so both start in parallel. The firmware
waits for the simulator's first answer.
"""

from __future__ import annotations

import ctypes
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pilotlight.boards import MAILBOX_ROLE, Board, load_board
from pilotlight.deadline import Alarm
from pilotlight.errors import TargetDied
from pilotlight.fvp_shim.parameters import EOT, Parameters
from pilotlight.targets.child import how_it_ended, start_child
from pilotlight.targets.mailbox import RESET, Page, PostedWrite
from pilotlight.targets.runners import Descriptors, runner_of

if TYPE_CHECKING:
    from pilotlight.npu import Device
    from pilotlight.npu.stream.memory import MappedMemory

BOARD = "qemu-corstone300"
EXIT_TIME_LIMIT = 3

_PR_SET_PDEATHSIG = 1
_END_DEADLINE_S = 10.0


def run_image(parameters: Parameters) -> int:
    """Run the image and return its exit code. Raises TargetDied if the emulator ended by itself."""
    _end_with_parent()
    board = load_board(BOARD)
    machine = _Machine(board, parameters)
    if parameters.time_limit_s is not None:
        Alarm(parameters.time_limit_s, machine.end_at_time_limit)
    return machine.run()


def semihosting_option(command_line: tuple[str, ...]) -> str:
    """Return the value of QEMU's -semihosting-config. Commas inside arguments are doubled.

    >>> semihosting_option(("run", "a,b"))
    'enable=on,target=native,arg=run,arg=a,,b'
    """
    return ",".join(["enable=on,target=native", *(f"arg={word.replace(',', ',,')}" for word in command_line)])


def data_options(parameters: Parameters) -> list[str]:
    """Return QEMU's options that load the files of --data. Commas in names are doubled."""
    files = ((str(data.file).replace(",", ",,"), data.address) for data in parameters.data)
    return [
        word for name, address in files for word in ("-device", f"loader,file={name},addr={address:#x},force-raw=on")
    ]


class _Machine:
    def __init__(self, board: Board, parameters: Parameters) -> None:
        assert board.shared_memory is not None
        self._board, self._parameters, self._memory = board, parameters, board.shared_memory
        self._shared = os.memfd_create("pilotlight-board-memory")
        os.truncate(self._shared, self._memory.size)
        page_address = board.region_of(MAILBOX_ROLE)[1].origin
        self._page = Page(self._shared, page_address - self._memory.origin)
        self._page.initialise(secrets.randbits(32))
        # The simulator is not loaded yet. A posted write makes the firmware's first read wait for
        # the simulator.
        self._page.post(PostedWrite(RESET, 0))
        self._page.present = True
        self._line, emulator_line = socket.socketpair()
        self._console, emulator_console = socket.socketpair()
        self._log = os.memfd_create("pilotlight-emulator-log")
        self._ended_itself = False
        self._write_trace: Callable[[], None] = lambda: None
        os.chdir(parameters.folder)
        inherited = Descriptors(emulator_console.fileno(), emulator_line.fileno(), self._shared)
        self._emulator: subprocess.Popen[bytes] = start_child(
            [
                *runner_of(board).command(parameters.image, parameters.npu, inherited),
                *data_options(parameters),
                *("-semihosting-config", semihosting_option(parameters.command_line)),
            ],
            log=Path(f"/proc/self/fd/{self._log}"),
            descriptors=inherited.open(),
        )
        # After we close our copies of the emulator's ends, both lines close when the emulator ends.
        emulator_line.close()
        emulator_console.close()

    def run(self) -> int:
        printer = threading.Thread(target=self._print_console, daemon=True)
        printer.start()
        self._be_the_npu()
        self._write_trace()
        printer.join(_END_DEADLINE_S)
        code = self._emulator.wait(_END_DEADLINE_S)
        if self._ended_itself:
            return 0
        said = os.pread(self._log, 4096, 0).decode(errors="replace").strip()
        if code < 0 or (code and said):
            raise TargetDied(f"the emulator ended: {how_it_ended(code)}" + (f": {said}" if said else ""))
        return code

    def end_at_time_limit(self) -> None:
        # This is not an exception, because only _exit() stops a simulator that runs in another
        # thread.
        self._emulator.kill()
        self._write_trace()
        os.write(1, f"E pilotlight: still running after {self._parameters.time_limit_s:g} s\n".encode())
        os._exit(EXIT_TIME_LIMIT)

    def _be_the_npu(self) -> None:
        """Serve the NPU until the emulator closes the line."""
        from pilotlight.targets.npu_process import Window, serve_board

        regions = {name: self._board.memory[name] for name in self._board.npu.visible}
        windows = [Window(name, region.origin, region.size) for name, region in regions.items()]
        place = (self._shared, self._memory.origin, self._page, self._line)
        watch = self._watch if self._parameters.pmu_trace else lambda device, memory: None
        how = serve_board(self._parameters.npu, *place, windows, watch=watch)
        if how != "closed":
            self._emulator.kill()

    def _watch(self, device: Device, memory: MappedMemory) -> None:
        from pilotlight.fvp_shim.pmu_trace import PmuTrace

        trace, file = PmuTrace(device, memory), self._parameters.pmu_trace
        assert file is not None
        self._write_trace = lambda: trace.write(file)

    def _print_console(self) -> None:
        console = self._parameters.console
        descriptor = 1 if console is None else os.open(console, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        while text := self._receive():
            text, eot, _ = text.partition(EOT) if self._parameters.ends_at_eot else (text, b"", b"")
            while text:
                text = text[os.write(descriptor, text) :]
            if eot:
                self._ended_itself = True
                self._emulator.kill()
                return

    def _receive(self) -> bytes:
        try:
            return self._console.recv(65536)
        except ConnectionError:
            return b""


def _end_with_parent() -> None:
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)
