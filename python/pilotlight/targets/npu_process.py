# SPDX-License-Identifier: Apache-2.0
"""The process that is the NPU of an emulated board: a simulated device behind the mailbox page.

Started by the supervisor, which hands over the shared file and one end of the doorbell line. A run takes
place in a thread of its own, so that the doorbell is still heard: a reset in the middle of a run throws the
run away by starting this process again in place, because a thread cannot be stopped.
"""

from __future__ import annotations

import mmap
import os
import selectors
import socket
import sys
import threading
import traceback
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pilotlight.npu_names import family_of
from pilotlight.targets.mailbox import CMD, CMD_RUN, RESET, STATUS, STATUS_RUNNING, Page

# What is copied to the page after every batch of writes (MAILBOX.md, "Registers").
_MIRRORED = (
    *range(0x000, 0x0C0, 4),
    *range(0x140, 0x158, 4),
    *range(0x180, 0x1B4, 4),
    *range(0x300, 0x320, 4),
    *range(0x380, 0x3A0, 4),
    *range(0xFC0, 0x1000, 4),
)
_MIRRORED_U85 = (*range(0x1180, 0x11B8, 4), *range(0x1300, 0x1320, 4), *range(0x1380, 0x13A0, 4))

# Ways in which tests let the NPU misbehave, to prove that nobody takes that for a result.
#   drop-interrupt       the interrupt line never rises
#   hang-once            the first run never ends; what a reset starts afresh is well
#   spurious-interrupts  two interrupts more in the middle of each run
_DROP_INTERRUPT, _HANG_ONCE, _SPURIOUS = FAULTS = ("drop-interrupt", "hang-once", "spurious-interrupts")


class Device(Protocol):
    """What pilotlight.npu.Device is to this module."""

    @property
    def irq(self) -> bool: ...

    def read(self, offset: int) -> int: ...

    def write(self, offset: int, value: int) -> None: ...


class Server:
    """Executes posted writes on `device`, mirrors its registers and passes its interrupt on."""

    def __init__(
        self,
        page: Page,
        line: socket.socket,
        device: Device,
        mirrored: tuple[int, ...],
        *,
        faults: tuple[str, ...] = (),
    ) -> None:
        self._page, self._line, self._device, self._mirrored, self._faults = page, line, device, mirrored, faults
        self._tail = page.tail
        self._irq = False
        self._run: threading.Thread | None = None
        self._run_over, self._run_over_writer = socket.socketpair()

    def serve(self) -> str:
        """Serve until the other end of the line closes ("closed") or a run must be thrown away ("restart")."""
        selector = selectors.DefaultSelector()
        selector.register(self._line, selectors.EVENT_READ)
        selector.register(self._run_over, selectors.EVENT_READ)
        self._page.computing = False
        self._publish()
        self._page.present = True
        try:
            return self._serve(selector)
        except ConnectionError:  # an emulator that was killed leaves the line like this
            return "closed"

    def _serve(self, selector: selectors.BaseSelector) -> str:
        while True:
            # Also before the first doorbell: after a restart there are writes that nobody rings for again.
            if self._execute_pending() == "restart":
                return "restart"
            for key, _ in selector.select():
                if not key.fileobj.recv(4096):  # type: ignore[union-attr]
                    return "closed"
                if key.fileobj is self._run_over:
                    assert self._run is not None
                    self._run.join()
                    self._run = None
                    self._publish()
                    # After the interrupt: until the CPU hears of the end, it waits for this process.
                    self._page.computing = False

    def _execute_pending(self) -> str:
        while writes := self._page.pending(self._tail):
            if self._run is not None:
                # Everything else has to wait for the run, as it would wait on the bus.
                return "restart" if any(write.offset == RESET for write in writes) else "busy"
            for write in writes:
                self._tail += 1
                if write.offset == CMD and write.value & CMD_RUN:
                    self._start_run(write.value)
                    break
                self._device.write(write.offset, write.value)
            else:
                self._publish()
        return "idle"

    def _start_run(self, value: int) -> None:
        """Acknowledge first: on hardware, too, the write of CMD is over long before the run is."""
        self._mirror()
        self._page.set_register(CMD, value)
        self._page.set_register(STATUS, self._device.read(STATUS) | STATUS_RUNNING)
        hangs = _HANG_ONCE in self._faults
        self._page.computing = not hangs
        self._page.acknowledge(self._tail)
        if _SPURIOUS in self._faults:
            self._line.send(b"\1\1")
        run = threading.Event().wait if hangs else lambda: self._execute_run(value)
        self._run = threading.Thread(target=run, daemon=True)
        self._run.start()

    def _execute_run(self, value: int) -> None:
        try:
            self._device.write(CMD, value)
        except BaseException:
            # A device answers with STATUS bits, so this is a bug of the simulator. Firmware must not wait for it.
            traceback.print_exc()
            os._exit(70)
        self._run_over_writer.send(b"\0")

    def _publish(self) -> None:
        """Registers first, then the acknowledgement, then the interrupt: each tells that the one before is there."""
        self._mirror()
        self._page.acknowledge(self._tail)
        if self._device.irq and not self._irq:
            self._page.count_interrupt()
            if _DROP_INTERRUPT not in self._faults:
                self._line.send(b"\1")
        self._irq = self._device.irq

    def _mirror(self) -> None:
        for offset in self._mirrored:
            self._page.set_register(offset, self._device.read(offset))


@dataclass(frozen=True)
class Window:
    """Memory that the NPU can reach."""

    name: str
    address: int
    size_bytes: int


def serve_board(
    config: str,
    shared: int,
    shared_origin: int,
    page: Page,
    line: socket.socket,
    windows: Sequence[Window],
    *,
    faults: tuple[str, ...] = (),
) -> str:
    """Be the simulated NPU `config` of a board whose memory is the file `shared`; returns as Server.serve() does."""
    # Here, so that an emulator can be started before they are loaded.
    from pilotlight.npu import Device as SimulatedNpu
    from pilotlight.npu.stream.memory import MappedMemory

    memory = MappedMemory()
    for window in windows:
        block = mmap.mmap(shared, window.size_bytes, offset=window.address - shared_origin)
        memory.add(window.address, np.frombuffer(block, dtype=np.uint8), writable=True, name=window.name)
    mirrored = _MIRRORED + (_MIRRORED_U85 if family_of(config).name == "ethos-u85" else ())
    return Server(page, line, SimulatedNpu(config, memory), mirrored, faults=faults).serve()


def main(arguments: list[str]) -> int:
    parser = ArgumentParser(prog="python -m pilotlight.targets.npu_process")
    parser.add_argument("--config", required=True, help="ethos-u55-128 and so on")
    parser.add_argument("--shared-fd", type=int, required=True, help="file that holds the shared memory")
    parser.add_argument("--shared-origin", type=int, required=True, help="address of the file's first byte")
    parser.add_argument("--line-fd", type=int, required=True, help="doorbell in, interrupt out: a byte each")
    parser.add_argument("--page", type=int, required=True, help="address of the mailbox page")
    parser.add_argument(
        "--window", action="append", default=[], help="NAME:ADDRESS:SIZE of memory that the NPU can reach"
    )
    parser.add_argument("--fault", action="append", default=[], choices=FAULTS, help="misbehave in this way")
    args = parser.parse_args(arguments)

    page = Page(args.shared_fd, args.page - args.shared_origin)
    line = socket.socket(fileno=os.dup(args.line_fd))
    windows = [Window(name, int(address), int(size)) for name, address, size in (w.split(":") for w in args.window)]
    how = serve_board(args.config, args.shared_fd, args.shared_origin, page, line, windows, faults=tuple(args.fault))
    if how == "restart":
        print("reset during a run: starting afresh", flush=True)
        again = [argument for argument in arguments if argument != f"--fault={_HANG_ONCE}"]
        os.execv(sys.executable, [sys.executable, "-m", "pilotlight.targets.npu_process", *again])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
